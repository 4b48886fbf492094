"""The admin pages of this app, a module each."""
