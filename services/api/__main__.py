"""`python -m services.api`: the api as a process; settings come from AFTERIMAGE_* variables."""

from services.api.app import context_of, create_app
from services.api.server import listen, serve
from services.api.settings import ApiSettings
from shared.service.lifecycle import run_service, stop_on_signals
from shared.service.logs import configure_logging
from shared.service.metrics_server import serve_metrics
from shared.service.settings import read_settings
from shared.store.layout.known import partition_for_logs


def main() -> int:
    """Serves until SIGTERM or SIGINT."""
    stop = stop_on_signals()
    settings = read_settings(ApiSettings)
    app = create_app(settings)
    partition_of = partition_for_logs(context_of(app).client)
    configure_logging("api", settings.log_level, settings.log_format, partition_of=partition_of)
    serve_metrics(context_of(app).metrics.registry, settings, is_well=lambda: True)
    with listen(settings.api_host, settings.api_port) as listener:
        serve(app, listener, stop)
    return 0


if __name__ == "__main__":
    run_service(main)
