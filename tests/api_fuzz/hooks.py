"""What schemathesis is told besides its settings; it loads this in its own environment.

`AFTERIMAGE_FUZZ_SPARED` has the ids, joined by commas, of what is there for the whole run: its own key among them.
"""

import os

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

SPARED = frozenset(os.environ["AFTERIMAGE_FUZZ_SPARED"].split(","))
REMOVALS = frozenset({"remove_stream", "delete_event", "delete_target", "revoke_key"})


@schemathesis.hook
def filter_case(_context: HookContext, case: Case) -> bool:
    """Whether a case is sent: without its key, or with nothing there, all that follows would be a 401 or a 404."""
    is_removal = case.operation.definition.raw.get("operationId") in REMOVALS
    return not (is_removal and any(str(value) in SPARED for value in case.path_parameters.values()))


@schemathesis.check
def allow_is_as_documented(_context: CheckContext, response: Response, case: Case) -> None:
    """A 405 names in `Allow` all that the document has at the path, HEAD where there is GET, and nothing else."""
    paths = case.operation.schema.raw_schema["paths"]
    asked = response.request.path_url.partition("?")[0]
    if response.status_code != 405 or (asked != case.operation.path and asked in paths):
        return  # another path's: an id may read like one
    documented = {method.upper() for method in paths[case.operation.path]}
    expected = ", ".join(sorted(documented | ({"HEAD"} if "GET" in documented else set())))
    told = ", ".join(response.headers.get("allow", []))
    assert told == expected, f"Allow: {told}; the document has {expected}"
