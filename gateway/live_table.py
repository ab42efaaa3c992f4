"""The depot in a terminal: a live table where one can be drawn, and a line every so often where not."""
