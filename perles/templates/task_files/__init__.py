"""Files that list tasks, in each form that the template `cook` takes."""
