"""What tests share: made inputs, fake and faulty backends, adversaries of the bounds, and helpers."""
