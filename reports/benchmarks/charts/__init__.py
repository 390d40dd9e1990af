"""The pictures: each function gives one chart, whose specification makes the page, the PNG and the SVG alike."""
