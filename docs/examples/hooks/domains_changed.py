from minipaas_lib import api


@api.hookimpl
def domains_changed(app, domains):
    for domain in domains:
        if not domain.startswith("*."):
            api.output.info(f"point the DNS of {domain} here")
