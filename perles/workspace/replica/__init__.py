"""Work dirs of other machines: two folders of one workflow, kept alike by git, moved in bundles."""
