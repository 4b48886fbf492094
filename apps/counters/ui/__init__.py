"""What the pages of this app and of the apps below are made of: acts, pages that are read, panels, lists."""
