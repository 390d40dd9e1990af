"""The words of the suite, imported by every other room and importing none of them."""
