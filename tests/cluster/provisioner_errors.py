"""What the cloud refuses, and how: every cause of docs/node-errors.md as a refusal of the request and as a failed operation, in every
shape that errors come in; passing trouble; the styles of long-running operations; tokens.

Usage: provisioner_errors.py [--only PART,...]
"""
import base64
import json
import sys
import time

import claims
from azure import Provisioner
from claims import Cases, Stage, expect
from cluster import ROOT

ALLOCATION = "Allocation failed. We do not have sufficient capacity for the requested VM size in this region."
# name, HTTP status, code, message, the reason in Launched. To cover a cause of the page: a row.
ROWS = (
    ("famquota", 409, "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved standardNCADSA100v4Family Cores quota. Current Limit: 24, Current Usage: 24, "
     "Additional Required: 24. Submit a request for Quota increase at https://aka.ms/ProdportalCRP", "SubscriptionQuotaReached"),
    ("famquotanil", 409, "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved standardNCADSA100v4Family Cores quota. Current Limit: 0, Current Usage: 0, "
     "Additional Required: 24. Submit a request for Quota increase at https://aka.ms/ProdportalCRP", "SubscriptionQuotaReached"),
    ("spotquota", 409, "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved LowPriorityCores quota. Current Limit: 3, Additional Required: 24.", "SubscriptionQuotaReached"),
    ("regquota", 409, "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Location: eastus, Current Limit: 10", "SubscriptionQuotaReached"),
    ("askquota", 409, "OperationNotAllowed", "The request was refused. Submit a request for Quota increase at https://aka.ms/ProdportalCRP", "SubscriptionQuotaReached"),
    ("vcpuquota", 400, "ErrCode_InsufficientVCPUQuota", "Insufficient vcpu quota requested 24, remaining 0 for family standardNCADSA100v4Family for region eastus.", "SubscriptionQuotaReached"),
    ("quotaexc", 400, "QuotaExceeded", "Operation could not be completed as it results in exceeding approved quota.", "SubscriptionQuotaReached"),
    ("skunot", 409, "SkuNotAvailable", "The requested VM size for resource is currently not available in location 'eastus'.", "SKUNotAvailable"),
    ("sizenot", 400, "VMSizeNotSupported", "Virtual Machine size is not supported.", "SKUNotAvailable"),
    ("subsnot", 400, "BadRequest", "Virtual Machine size Standard_NC24ads_A100_v4 is not supported for subscription 00000000 in location eastus.", "SKUNotAvailable"),
    ("notallowed", 400, "BadRequest", "The VM size of AgentPoolProfile:notallowed is not allowed in your subscription in location 'eastus'.", "SKUNotAvailable"),
    ("zonal", 409, "ZonalAllocationFailed", "Allocation failed. We do not have sufficient capacity for the requested VM size in this zone.", "ZonalAllocationFailure"),
    ("alloc", 409, "AllocationFailed", ALLOCATION, "AllocationFailure"),
    ("overzonal", 409, "OverconstrainedZonalAllocationRequest", "Allocation failed. VM(s) with the following constraints cannot be allocated.", "OverconstrainedZonalAllocationFailure"),
    ("over", 409, "OverconstrainedAllocationRequest", "Allocation failed. VM(s) with the following constraints cannot be allocated.", "OverconstrainedAllocationFailure"),
    ("badreq", 400, "BadRequest", "The value of parameter agentPoolProfile.something is invalid.", "InvalidRequest"),
    ("invalidpar", 400, "InvalidParameter", "The value of parameter osDiskSizeGB is invalid. It must be at most 2048.", "InvalidRequest"),
    ("reserved", 400, "ReservedResourceName", "The name is reserved.", "InvalidRequest"),
    ("apinot", 400, "AgentPoolAPIsNotSupported", "AgentPool APIs supported only on clusters created with VMSS.", "AgentPoolsNotSupported"),
    ("authz", 403, "AuthorizationFailed", "The client does not have authorization to perform action 'Microsoft.ContainerService/managedClusters/agentPools/write'.", "AuthorizationFailed"),
    ("policy", 403, "RequestDisallowedByPolicy", "Resource was disallowed by policy.", "RequestDisallowedByPolicy"),
    ("readonly", 409, "ReadOnlyDisabledSubscription", "The subscription is disabled and therefore marked as read only.", "SubscriptionDisabled"),
    ("noclusterr", 404, "ResourceNotFound", "The Resource 'Microsoft.ContainerService/managedClusters/c' under resource group 'rg' was not found.", "ClusterNotFound"),
    ("nogroup", 404, "ResourceGroupNotFound", "Resource group 'rg' could not be found.", "ClusterNotFound"),
    ("nicres", 409, "NicReservedForAnotherVm", "Nic(s) in request is reserved for another Virtual Machine for 180 seconds.", "NetworkInterfaceReserved"),
    ("extension", 400, "VMExtensionProvisioningError", "VM has reported a failure when processing extension 'vmssCSE'. Error message: exit status=50.", "NodeBootstrapFailed"),
    ("zonenot", 400, "AvailabilityZoneNotSupported", "The zone(s) '9' for resource 'agentpool' is not supported.", "SKUNotAvailable"),
    ("textonly", 409, "DeploymentFailed", "We do not have sufficient capacity for the requested VM size.", "AllocationFailure"),
    ("toomany", 400, "AgentPoolsLimit", "The cluster has reached its number of agent pools.", "AgentPoolLimitReached"),
    ("toomanytext", 400, "BadRequest", "This exceeds the maximum number of agent pools, 100.", "AgentPoolLimitReached"),
    ("subnetfull", 400, "SubnetIsFull", "Subnet nodes with address prefix 10.224.0.0/28 does not have enough capacity for 30 IP addresses.", "SubnetFull"),
    ("notready", 400, "NodesNotReady", "1 node did not become ready.", "NodeBootstrapFailed"),
    ("change", 400, "PropertyChangeNotAllowed", "Changing property 'properties.vmSize' is not allowed.", "InvalidRequest"),
    ("linked", 400, "LinkedInvalidPropertyId", "Property id 'x' at path 'properties.vnetSubnetID' is invalid.", "InvalidRequest"),
    ("locked", 409, "ScopeLocked", "The scope cannot perform write operation because following scope(s) are locked.", "ScopeLocked"),
    ("tokenbad", 401, "InvalidAuthenticationToken", "The access token is invalid.", "AuthenticationFailed"),
    ("stopped", 409, "OperationNotAllowed", "Operation is not allowed: the managed cluster is stopped.", "ClusterStopped"),
    ("unknown", 409, "SomethingNobodyHasSeen", "A sentence that nobody has read.", "CreateInstanceFailed"),
)
# Refusals that say nothing about the claim: it gets its node a little later.
PASSING = (
    ("inprog", 409, "OperationNotAllowed", "Operation is not allowed because there's an in progress create node pool operation on the managed cluster."),
    ("another", 409, "OperationNotAllowed", "Another agentpool operation (x - Creating) is in progress, please wait for it to finish before starting a new operation."),
    ("etag", 412, "EtagMismatch", "Operation is not allowed: the etag provided does not match."),
    ("etagorig", 409, "OriginalEtagNotExpect", "Operation is not allowed: OriginalEtagNotExpect."),
    ("s408", 408, "RequestTimeout", "The request timed out."),
    ("s429", 429, "TooManyRequests", "The request was throttled."),
    ("s429sub", 429, "SubscriptionRequestsThrottled", "Number of requests for subscription exceeded."),
    ("s500", 500, "InternalServerError", "Encountered internal server error."),
    ("s502", 502, "BadGateway", "Bad gateway."),
    ("s503", 503, "ServiceUnavailable", "The service is unavailable."),
    ("s504", 504, "GatewayTimeout", "The gateway did not receive a response."),
)
# How a refusal looks on the wire: name -> (headers, body).
SHAPES = {
    "arm": lambda code, text: ({}, {"error": {"code": code, "message": text}}),
    "bare": lambda code, text: ({}, {"code": code, "message": text, "details": None, "subcode": ""}),
    "header": lambda code, text: ({"x-ms-error-code": code}, {"error": {"code": "BadRequest", "message": text}}),
    "nested": lambda code, text: ({}, {"error": {"code": "InvalidTemplateDeployment", "message": "The template deployment failed.", "details": [
        {"code": "Wrapped", "message": "See inner errors.", "details": [{"code": code, "message": text}]}]}}),
    "inner": lambda code, text: ({}, {"error": {"code": "ReconcileVMSSAgentPoolFailed", "message": json.dumps({"error": {"code": code, "message": text}})}}),
}
# The shapes that a cause is tried in beside the first; nested ones only where the cause is what counts, not the wrapper.
CAUSES = {"famquota", "vcpuquota", "quotaexc", "skunot", "zonal", "alloc", "over", "overzonal"}


def refusal(name, status, code, text, shape, times=1000):
    headers, body = SHAPES[shape](code, text)
    return {"match": {"method": "PUT", "path": f"/agentPools/{name}(\\?|$)"}, "times": times, "status": status, "headers": headers, "body": body}


def failure(name, code, text, nested):
    operation = {"code": code, "message": text}
    if nested:
        operation = {"code": "ReconcileVMSSAgentPoolFailed", "message": "Failed to reconcile the agent pool.", "details": [{"code": code, "message": text}]}
    return {"match": {"method": "PUT", "path": f"/agentPools/{name}(\\?|$)"}, "times": 1000, "operation": operation}


# One instance type of each family for which Azure keeps a quota: what is found unavailable for one claim then concerns no other.
FAMILIES = ("Standard_NC6", "Standard_NC6s_v2", "Standard_NC6s_v3", "Standard_NC4as_T4_v3", "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5",
            "Standard_NCC40ads_H100_v5", "Standard_ND6s", "Standard_ND40rs_v2", "Standard_ND96asr_A100_v4", "Standard_ND96amsr_A100_v4",
            "Standard_ND96isr_H100_v5", "Standard_ND96isr_H200_v5", "Standard_NG32ads_V620_v1", "Standard_NV6", "Standard_NV12s_v3",
            "Standard_NV36ads_A10_v5", "Standard_D4s_v3", "Standard_D4s_v4", "Standard_D4s_v5", "Standard_D4as_v5", "Standard_E4s_v3", "Standard_E4s_v5",
            "Standard_F4s_v2")

FOR_ALL = ("regquota", "spotquota")  # these say something about every claim: alone in a round


def plan():
    """(claim name, script row, code, text, reason, how) for every way that every cause is told."""
    for at, (name, status, code, text, reason) in enumerate(ROWS):
        shapes = ["arm"] if name in FOR_ALL else list(SHAPES) if name in CAUSES else ["arm", "bare"]
        for shape in shapes:
            claim = f"r{at}{shape}"[:12]
            yield claim, refusal(claim, status, code, text, shape), code, text, reason, f"{name} refused, {shape}"
        if status not in (401, 404) and name not in ("stopped", "nicres"):
            claim = f"o{at}plain"
            yield claim, failure(claim, code, text, False), code, text, reason, f"{name} as a failed operation"
        if name in CAUSES:
            claim = f"o{at}nested"
            yield claim, failure(claim, code, text, True), code, text, reason, f"{name} nested in a failed operation"


def judge(world, seen, claim, code, text, reason, how):
    """What is wrong with the claim's Launched, or None."""
    status, is_reason, message = world.condition(claim, "Launched")
    seen[is_reason] = seen.get(is_reason, 0) + 1
    if status == "True" or is_reason != reason:
        return f"{how}: Launched {status} {is_reason}, expected {reason}: {message[:160]}"
    if not message.startswith(code):
        return f"{how}: the message does not begin with the code: {message[:160]}"
    if text.rstrip(".")[:40] not in message:
        return f"{how}: the message lacks the text: {message[:200]}"
    return f"{how}: a message of {len(message)} characters" if len(message) > 803 else None


def one_round(world, number, todo, seen):
    """So many causes at once, for a provisioner that knows nothing of earlier ones."""
    world.simulator.script(*(row for _, row, *_ in todo))
    with Provisioner(world.cluster, world.simulator, name=f"provisioner-round-{number}"):
        for (claim, *_, how), size in zip(todo, FAMILIES):
            spot = ({"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]},) if how.startswith("spot") else ()
            world.create(claim, types=(size,), requirements=spot)
        world.mirror.until(lambda: all(world.condition(claim, "Launched")[1] == reason for claim, _, _, _, reason, _ in todo), 8 * claims.PATIENCE)
        wrong = [judge(world, seen, claim, *more) for claim, _, *more in todo]
        world.simulator.clear_script()
        names = [claim for claim, *_ in todo]
        world.delete(*names)
        world.wait_gone(*names, seconds=30)
    return [w for w in wrong if w]


def causes(world):
    """Launched names reason, code and text."""
    seen, wrong = {}, []
    todo = list(plan())
    rest = [row for row in todo if not row[-1].startswith(FOR_ALL)]
    rounds = [[row] for row in todo if row[-1].startswith(FOR_ALL)] + [rest[at:at + len(FAMILIES)] for at in range(0, len(rest), len(FAMILIES))]
    for number, some in enumerate(rounds):
        wrong += one_round(world, number, some, seen)
    expect(not wrong, f"{len(wrong)} of {len(todo)} wrong\n  " + "\n  ".join(wrong))
    return f"{len(todo)} claims; reasons " + ", ".join(f"{n} {r}" for r, n in sorted(seen.items()))


# Reasons of the page that are no claim's reason here: passing ones (the case `passing`), tokens (their cases), and those that only
# tests/azure/ can provoke.
ELSEWHERE = {"OperationInProgress", "PoolChanged", "OperationCanceled", "Throttled", "ServerError", "PoolNotFound", "FederatedCredentialMissing",
             "IdentityNotFound", "AssertionExpired", "SecretRefused", "TokenRefused", "ProviderNotRegistered"}


def page_covered():
    """Every reason of the troubleshooting page is provoked here, or is one of those above."""
    text = (ROOT / "docs/node-errors.md").read_text(encoding="utf-8")
    reasons = {row.split("|")[2].strip().strip("`") for row in text.splitlines() if row.startswith("| ") and not row.startswith("| Code")}
    missing = reasons - {reason for *_, reason in ROWS} - ELSEWHERE
    expect(not missing, f"never provoked: {sorted(missing)}")
    stale = {reason for *_, reason in ROWS} - reasons
    expect(not stale, f"not on the page: {sorted(stale)}")
    return f"{len(reasons)} reasons"


def passing(world):
    """One refusal each, then the service works: Ready without help, and no second pool."""
    rows = []
    for name, status, code, text in PASSING:
        row = refusal(name, status, code, text, "arm", times=1)
        if status in (408, 429) or status >= 500:
            row["headers"] = {"Retry-After": "1"}
        rows.append(row)
    rows.append({"match": {"method": "PUT", "path": "/agentPools/dropped(\\?|$)"}, "times": 1, "action": "drop"})
    rows.append({"match": {"method": "PUT", "path": "/agentPools/dropafter(\\?|$)"}, "times": 1, "action": "drop_after"})
    rows.append({"match": {"method": "PUT", "path": "/agentPools/malformed(\\?|$)"}, "times": 1, "action": "malformed"})
    rows.append({"match": {"method": "PUT", "path": "/agentPools/html(\\?|$)"}, "times": 1, "status": 502, "text": "<html><body>Bad Gateway</body></html>",
                 "headers": {"Content-Type": "text/html"}})
    rows.append({"match": {"method": "PUT", "path": "/agentPools/silent(\\?|$)"}, "times": 1, "status": 503, "text": ""})
    names = [row[0] for row in PASSING] + ["dropped", "dropafter", "malformed", "html", "silent"]
    world.simulator.script(*rows)
    begin = time.monotonic()
    for name in names:
        world.create(name)
    world.wait_ready(*names, seconds=60)
    took = time.monotonic() - begin
    world.simulator.clear_script()
    for name in names:
        # Carried out: one without an answer has no status, and a scripted 200 without JSON was not.
        done = {"dropafter": (0,), "malformed": (201,)}.get(name, (200, 201))
        accepted = [c for c in world.puts(name) if c.status in done]
        expect(len(accepted) == 1, f"{name}: {len(accepted)} accepted PUTs: {[str(c) for c in world.puts(name)]}")
    world.delete(*names)
    world.wait_gone(*names, seconds=40)
    return f"{len(names)} claims Ready within {took:.0f} s"


def style(lro):
    def case(world):
        """Creation, failed creation and deletion told by one style of long-running operations."""
        world.simulator.settings(lro=lro, create_ms=1500, delete_ms=700)
        good, bad = f"good{lro[:4]}", f"bad{lro[:4]}"
        world.simulator.script({**failure(bad, "AllocationFailed", ALLOCATION, True), "times": 1})
        world.create(good)
        world.create(bad, types=(FAMILIES[STYLES.index(lro)],))
        world.wait_ready(good)
        why = "OperationFailed" if lro == "body" else "AllocationFailed"  # a pool's body does not tell why it failed
        world.until(lambda: f"the failure told: {world.told_of(bad, 'Launched')}", lambda: any(why in said for _, _, said in world.told_of(bad, "Launched")), 20)
        world.delete(good, bad)
        world.wait_gone(good, bad)
        expect(len([c for c in world.puts(good) if c.accepted]) == 1, f"PUTs {[str(c) for c in world.puts(good)]}")
    case.__name__ = f"operations of style {lro}"
    return case


STYLES = ["async", "operation_location", "location", "body"]


def retry_after(style_name):
    def case(world):
        world.simulator.settings(retry_after_ms=1000, retry_after_style=style_name, create_ms=1500)
        name = "ra" + style_name.replace("-", "")
        world.live(name)
        world.delete(name)
        world.wait_gone(name)
        world.simulator.settings(retry_after_ms=0)
    case.__name__ = f"Retry-After as {style_name}"
    return case


# --- tokens: each with a provisioner of its own ------------------------------------------------------------------------
def token_refused(world, options):
    """No token at the start: alive, not ready, says what to check; goes on when the credential has spread."""
    world.simulator.script({"match": {"method": "POST", "path": "/oauth2/v2.0/token"}, "times": 1000, "status": 401, "body": {
        "error": "invalid_client", "error_description": "AADSTS70021: No matching federated identity record found for presented assertion.",
        "error_codes": [70021], "trace_id": "t", "correlation_id": "c", "timestamp": "2026-01-01 00:00:00Z"}})
    provisioner = Provisioner(world.cluster, world.simulator, name="provisioner-refused", extra=options)
    provisioner.start(wait=False)
    try:
        world.create("notoken")
        world.until(lambda: f"AADSTS70021 in Launched: {world.describe('notoken')}", lambda: "AADSTS70021" in world.condition("notoken", "Launched")[2], 15)
        said = world.condition("notoken", "Launched")
        expect(provisioner.process.poll() is None, f"it ended with {provisioner.process.returncode}")
        expect(provisioner.probe("readyz") != 200, "readyz says ready without a token")
        expect(provisioner.probe("healthz") == 200, "healthz must not restart it for that")
        world.simulator.clear_script()
        world.wait_ready("notoken", seconds=60)
        expect(provisioner.probe("readyz") == 200, "not ready with a token")
        world.delete("notoken")
        world.wait_gone("notoken")
    finally:
        provisioner.stop()
    return f"{said[1]}: {said[2][:80]}"


def token_challenge(world, options):
    """A CAE challenge: one new token with the claims that were asked for."""
    asked = base64.b64encode(json.dumps({"access_token": {"nbf": {"essential": True, "value": "1"}}}).encode()).decode()
    with Provisioner(world.cluster, world.simulator, name="provisioner-cae", extra=options):
        world.live("beforecae")
        tokens = sum(c.what == "TOKEN" for c in world.simulator.calls())
        world.simulator.script({"match": {"method": "PUT", "path": "/agentPools/cae(\\?|$)"}, "times": 1, "status": 401, "text": "", "headers": {
            "WWW-Authenticate": f'Bearer realm="", authorization_uri="{world.simulator.endpoint}/common/oauth2/authorize", error="insufficient_claims", claims="{asked}"'}})
        world.live("cae")
        more = sum(c.what == "TOKEN" for c in world.simulator.calls()) - tokens
        expect(more == 1, f"{more} more token requests, one expected")
        world.delete("cae", "beforecae")
        world.wait_gone("cae", "beforecae")


def token_expiry(world, options):
    """Short tokens: renewed before they end, nobody is refused."""
    world.simulator.settings(token_lifetime_s=12, create_ms=200)
    with Provisioner(world.cluster, world.simulator, name="provisioner-expiry", extra=options):
        before = len(world.simulator.calls())
        for i in range(4):
            world.live(f"short{i}")
            time.sleep(4)
        calls = world.simulator.calls()[before:]
        refused = [str(c) for c in calls if c.status == 401]
        expect(not refused, f"requests with an expired token: {refused}")
        tokens = sum(c.what == "TOKEN" for c in calls)
        names = [f"short{i}" for i in range(4)]
        world.delete(*names)
        world.wait_gone(*names)
    world.simulator.settings(token_lifetime_s=3600)
    expect(tokens > 1, "one token was enough: nothing was renewed")
    return f"{tokens} token requests in 16 s with tokens of 12 s"


def main(argv=None):
    options = claims.arguments(__doc__).parse_args(argv)
    cases = Cases(options.only)
    with Stage(create_time="0.3s", max_pools=1000) as world:
        cases.one(page_covered)
        cases.one(causes, world)
        with Provisioner(world.cluster, world.simulator) as provisioner:
            before = cases.bad
            cases.one(passing, world)
            for lro in STYLES:
                cases.one(style(lro), world)
            for name in ("seconds", "ms", "x-ms", "date"):
                cases.one(retry_after(name), world)
            if cases.bad > before:
                print(provisioner.tail(10))
        world.simulator.settings(lro="async", create_ms=300, delete_ms=0)
        for case in (token_challenge, token_expiry, token_refused):
            cases.one(case, world, [])
    return cases.status()


if __name__ == "__main__":
    sys.exit(claims.main_of(main))
