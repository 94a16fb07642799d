"""What `git push` meets: the hook before anything is received, and the first push to a name."""
