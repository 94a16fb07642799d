"""What `git push` meets: the pre-receive hook, push options, and the first push to a name."""
