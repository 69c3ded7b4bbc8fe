"""What is done about each finding: pure. Findings and texts in; proposed files, choices and words out."""
