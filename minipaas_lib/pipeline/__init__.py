"""What happens to an app: receive, build, release, roll out, retire, recover. Every change goes through here."""
