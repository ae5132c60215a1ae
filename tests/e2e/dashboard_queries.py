"""`PYTHONPATH=tests python tests/e2e/dashboard_queries.py http://127.0.0.1:9090`: asks a running Prometheus everything
that the dashboards ask, with its first stream as theirs, and says which panels would be empty. Exit code 1: some are.
"""

import sys
from typing import Any

import httpx
from dashboards import queries


def ask(client: httpx.Client, path: str, **parameters: str) -> Any:
    """The data of an answer."""
    reply = client.get(f"/api/v1/{path}", params=parameters)
    content = reply.json()
    assert content["status"] == "success", f"{parameters}: {content}"
    return content["data"]


def live_streams(client: httpx.Client) -> list[str]:
    """The first is the one that the Stream dashboard shows when it is opened."""
    query = "sort_desc(stream_state:afterimage_stream_state:max{state='live'} == 1)"
    return [series["metric"]["stream_id"] for series in ask(client, "query", query=query)["result"]]


def empty_panels(url: str) -> list[str]:
    """Panels of which a query returns nothing, or nothing that is a number."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        if not (streams := live_streams(client)):
            return ["no stream is live"]
        empty = []
        for query in queries():
            result = ask(client, "query", query=query.filled(streams[0]))["result"]
            if not any(series["value"][1] != "NaN" for series in result) and not query.is_optional:
                empty.append(f"{query.dashboard}: {query.panel}: {query.expr}")
        return empty


def failed_rules(url: str) -> list[str]:
    """Rules that Prometheus cannot evaluate."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        rules = [rule for group in ask(client, "rules")["groups"] for rule in group["rules"]]
    assert rules, "Prometheus has no rules"
    return [f"{rule['name']}: {rule.get('lastError', '')}" for rule in rules if rule["health"] != "ok"]


def main() -> int:
    """Says what is wrong; 0 where nothing is."""
    url = sys.argv[1]
    wrong = [*empty_panels(url), *failed_rules(url)]
    sys.stdout.write("\n".join([*wrong, f"{len(list(queries()))} queries, {len(wrong)} problems"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
