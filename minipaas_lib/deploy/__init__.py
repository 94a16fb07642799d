"""From a commit to a release that serves: build, plan, roll out, drain, roll back."""
