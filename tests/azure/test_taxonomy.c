/* test_taxonomy.c: every row of the taxonomy is reached by an answer as Azure gives it, the right one wins, messages fit, the page is fresh. */
#include "azure/taxonomy.h"
#include "base/fd.h"
#include "check_main.h"
#include <strings.h>

#define TEMPLATE(details) "{\"error\":{\"code\":\"InvalidTemplateDeployment\",\"message\":\"The template deployment 'x' is not valid according to the validation procedure. See inner errors for details.\",\"details\":[" details "]}}"
#define ERROR(code, message) "{\"error\":{\"code\":\"" code "\",\"message\":\"" message "\"}}"
#define BARE(code, message) "{\"code\":\"" code "\",\"message\":\"" message "\",\"details\":null,\"subcode\":\"\"}"
#define DETAIL(code, message) "{\"code\":\"" code "\",\"message\":\"" message "\"}"
#define FAMILY_QUOTA(limit) "Operation could not be completed as it results in exceeding approved standardNCSv3Family Cores quota. Additional details - Deployment Model: Resource Manager, " \
	"Location: eastus, Current Limit: " limit ", Current Usage: 0, Additional Required: 6, (Minimum) New Limit Required: 6. Submit a request for Quota increase at https://aka.ms/ProdportalCRP"

#define H(n) ((n) * 3600)
#define M(n) ((n) * 60)
static const struct {
	int status; const char *body; bool spot;
	const char *reason; enum failure_handling handling; enum failure_scope scope; int64_t cooldown_s; bool insufficient;
	const char *code; /* the message begins with */
} CASES[] = {
	/* 2.8, in its order */
	{409, ERROR("OperationNotAllowed", FAMILY_QUOTA("12")), false, "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_FAMILY, M(10), false, "OperationNotAllowed"},
	{409, ERROR("OperationNotAllowed", FAMILY_QUOTA("0")), false, "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_FAMILY, H(1), false, "OperationNotAllowed"},
	{409, ERROR("OperationNotAllowed", FAMILY_QUOTA("05")), false, "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_FAMILY, M(10), false, "OperationNotAllowed"},
	{409, ERROR("OperationNotAllowed", "Operation could not be completed as it results in exceeding approved LowPriorityCores quota. Current Limit: 3"), true,
	 "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_SPOT, M(10), false, "OperationNotAllowed"},
	{409, ERROR("OperationNotAllowed", "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Current Limit: 10, Current Usage: 8"),
	 false, "SubscriptionQuotaReached", HANDLE_OFFERING, SCOPE_REGION, M(10), true, "OperationNotAllowed"},
	{409, ERROR("OperationNotAllowed", "You have reached a limit. Submit a request for Quota increase at https://aka.ms/x"), false, "SubscriptionQuotaReached",
	 HANDLE_CREATE_ERROR, SCOPE_FAMILY, M(10), false, "OperationNotAllowed"},
	{409, ERROR("SkuNotAvailable", "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: Standard_NC24ads_A100_v4' is currently not available in location 'eastus'."),
	 false, "SKUNotAvailable", HANDLE_OFFERING, SCOPE_SKU, H(23), false, "SkuNotAvailable"},
	{409, ERROR("SkuNotAvailable", "not available"), true, "SKUNotAvailable", HANDLE_OFFERING, SCOPE_SKU, H(1), false, "SkuNotAvailable"},
	{400, BARE("VMSizeNotSupported", "The VM size is not supported"), false, "SKUNotAvailable", HANDLE_OFFERING, SCOPE_SKU, H(23), false, "VMSizeNotSupported"},
	{400, BARE("BadRequest", "The VM size Standard_ND96isr_H100_v5 is not supported for subscription s in location eastus."), false, "SKUNotAvailable", HANDLE_OFFERING,
	 SCOPE_SKU, H(23), false, "BadRequest"},
	{409, ERROR("ZonalAllocationFailed", "Allocation failed. We do not have sufficient capacity for the requested VM size in this zone."), false, "ZonalAllocationFailure",
	 HANDLE_OFFERING, SCOPE_ZONE, H(1), false, "ZonalAllocationFailed"},
	{409, ERROR("AllocationFailed", "Allocation failed. We do not have sufficient capacity for the requested VM size in this region."), false, "AllocationFailure",
	 HANDLE_OFFERING, SCOPE_SKU, H(1), false, "AllocationFailed"},
	{409, ERROR("OverconstrainedZonalAllocationRequest", "constraints"), false, "OverconstrainedZonalAllocationFailure", HANDLE_OFFERING, SCOPE_ZONE, H(1), false,
	 "OverconstrainedZonalAllocationRequest"},
	{409, ERROR("OverconstrainedAllocationRequest", "constraints"), true, "OverconstrainedAllocationFailure", HANDLE_OFFERING, SCOPE_SKU, H(1), false,
	 "OverconstrainedAllocationRequest"},
	{400, ERROR("NicReservedForAnotherVm", "Nic is reserved"), false, "NetworkInterfaceReserved", HANDLE_PASSING, SCOPE_NONE, 0, false, "NicReservedForAnotherVm"},
	/* the same causes in the clothes of agent pools */
	{400, BARE("ErrCode_InsufficientVCPUQuota", "Insufficient vcpu quota requested 24, remaining 0 for family StandardNCADSA100v4Family for region eastus. Surge nodes would also consume vcpu quota."),
	 false, "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_FAMILY, M(10), false, "ErrCode_InsufficientVCPUQuota"},
	{400, BARE("ErrCode_InsufficientVCPUQuota", "Insufficient regional vcpu quota left for location eastus. left regional vcpu quota 4, requested quota 6."), false,
	 "SubscriptionQuotaReached", HANDLE_OFFERING, SCOPE_REGION, M(10), true, "ErrCode_InsufficientVCPUQuota"},
	{400, BARE("BadRequest", "(ErrCode_InsufficientVCPUQuota) Insufficient vcpu quota requested 48, remaining 10 for family standardNCASv3_T4Family for region eastus."), false,
	 "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_FAMILY, M(10), false, "BadRequest"},
	{400, BARE("ErrCode_InsufficientVCPUQuota", "no vCPUs"), false, "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_FAMILY, M(10), false, "ErrCode_InsufficientVCPUQuota"},
	{400, TEMPLATE(DETAIL("QuotaExceeded", FAMILY_QUOTA("4"))), false, "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_FAMILY, M(10), false, "QuotaExceeded"},
	{400, TEMPLATE(DETAIL("Other", "x") "," DETAIL("QuotaExceeded", "Operation could not be completed as it results in exceeding approved Total Regional Cores quota.")), false,
	 "SubscriptionQuotaReached", HANDLE_OFFERING, SCOPE_REGION, M(10), true, "QuotaExceeded"},
	{400, TEMPLATE(DETAIL("QuotaExceeded", "Operation results in exceeding quota limits of Core. Maximum allowed: 10, Current in use: 10, Additional requested: 6.")), false,
	 "SubscriptionQuotaReached", HANDLE_CREATE_ERROR, SCOPE_FAMILY, M(10), false, "QuotaExceeded"},
	{400, BARE("BadRequest", "The VM size of AgentPoolProfile:ws0123456789 is not allowed in your subscription in location 'westus'. For more details, please visit https://aka.ms/cpu-quota"),
	 false, "SKUNotAvailable", HANDLE_OFFERING, SCOPE_SKU, H(23), false, "BadRequest"},
	{400, BARE("AvailabilityZoneNotSupported", "The zone(s) '3' for resource 'ws1' is not supported."), false, "SKUNotAvailable", HANDLE_OFFERING, SCOPE_ZONE, H(23), false,
	 "AvailabilityZoneNotSupported"},
	{409, BARE("OperationNotAllowed", "Operation is not allowed because there's an in progress create node pool operation. Please wait."), false, "OperationInProgress",
	 HANDLE_IN_PROGRESS, SCOPE_NONE, 0, false, "OperationNotAllowed"},
	{409, BARE("OperationNotAllowed", "Another agentpool operation (ws1 - Creating) is in progress, please wait for it to finish before starting a new operation."), false,
	 "OperationInProgress", HANDLE_IN_PROGRESS, SCOPE_NONE, 0, false, "OperationNotAllowed"},
	{409, BARE("OperationNotAllowed", "Operation is not allowed because the managed cluster is stopped."), false, "ClusterStopped", HANDLE_IN_PROGRESS, SCOPE_NONE, 0, false,
	 "OperationNotAllowed"},
	{0, ERROR("OperationPreempted", "Operation was preempted by another operation"), false, "OperationInProgress", HANDLE_IN_PROGRESS, SCOPE_NONE, 0, false, "OperationPreempted"},
	{400, BARE("AgentPoolAPIsNotSupported", "Agent pool APIs supported only on clusters created with VMSS"), false, "AgentPoolsNotSupported", HANDLE_CONFIGURATION, SCOPE_NONE, 0,
	 false, "AgentPoolAPIsNotSupported"},
	{400, BARE("K8sVersionNotSupported", "Version 1.20.1 is not supported in this region."), false, "AgentPoolsNotSupported", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false,
	 "K8sVersionNotSupported"},
	{400, BARE("ServicePrincipalValidationClientError", "The provided client secret keys are expired"), false, "AuthenticationFailed", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false,
	 "ServicePrincipalValidationClientError"},
	{0, ERROR("OutboundConnFailVMExtensionError", "Unable to establish outbound connection from agents"), false, "NodeBootstrapFailed", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false,
	 "OutboundConnFailVMExtensionError"},
	{0, "{\"status\":\"Failed\",\"error\":{\"code\":\"VMExtensionProvisioningError\",\"message\":\"VM has reported a failure\",\"details\":[" DETAIL("AllocationFailed", "no room") "]}}", false,
	 "AllocationFailure", HANDLE_OFFERING, SCOPE_SKU, H(1), false, "AllocationFailed: no room"},
	{0, ERROR("ReconcileVMSSAgentPoolFailed", "We are unable to serve this request: {\\\"error\\\":{\\\"code\\\":\\\"ZonalAllocationFailed\\\",\\\"message\\\":\\\"full\\\"}}"), false,
	 "ZonalAllocationFailure", HANDLE_OFFERING, SCOPE_ZONE, H(1), false, "ZonalAllocationFailed: full"},
	{0, ERROR("ReconcileVMSSAgentPoolFailed", "VMSSAgentPoolReconciler retry failed: Category: ClientError; SubCode: AllocationFailed; Dependency: Microsoft.Compute"), false,
	 "AllocationFailure", HANDLE_OFFERING, SCOPE_SKU, H(1), false, "AllocationFailed: VMSSAgentPoolReconciler"},
	{0, ERROR("CreateVMSSAgentPoolFailed", "retry failed: Code=\\\"OverconstrainedAllocationRequest\\\" Message=\\\"no\\\""), false, "OverconstrainedAllocationFailure",
	 HANDLE_OFFERING, SCOPE_SKU, H(1), false, "OverconstrainedAllocationRequest: no"},
	{0, ERROR("CreateVMSSAgentPoolFailed", "Allocation failed. We do not have sufficient capacity for the requested VM size in this region."), false, "AllocationFailure",
	 HANDLE_OFFERING, SCOPE_SKU, H(1), false, "CreateVMSSAgentPoolFailed"},
	{400, "{\"code\":\"ReconcileError\",\"message\":\"it did not work\",\"subcode\":\"AllocationFailed\"}", false, "AllocationFailure", HANDLE_OFFERING, SCOPE_SKU, H(1), false,
	 "AllocationFailed: it did not work"},
	{0, ERROR("VMExtensionProvisioningError", "VM has reported a failure when processing extension 'vmssCSE'. Error message: \\\"Enable failed: ExitCode: 50\\\""), false,
	 "NodeBootstrapFailed", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false, "VMExtensionProvisioningError"},
	{0, ERROR("NodesNotReady", "Not all nodes reached Ready state. Expected: 1, Actual: 0"), false, "NodeBootstrapFailed", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false, "NodesNotReady"},
	{409, BARE("OriginalEtagNotExpect", "etag"), false, "PoolChanged", HANDLE_REREAD, SCOPE_NONE, 0, false, "OriginalEtagNotExpect"},
	{409, BARE("EtagMismatch", "etag"), false, "PoolChanged", HANDLE_REREAD, SCOPE_NONE, 0, false, "EtagMismatch"},
	{412, BARE("PreconditionFailed", "The condition '*' in the If-None-Match header was not satisfied."), false, "PoolChanged", HANDLE_REREAD, SCOPE_NONE, 0, false, "PreconditionFailed"},
	{412, "", false, "PoolChanged", HANDLE_REREAD, SCOPE_NONE, 0, false, "PoolChanged: HTTP 412"},
	{0, ERROR("OperationCanceled", "The operation was canceled"), false, "OperationCanceled", HANDLE_REREAD, SCOPE_NONE, 0, false, "OperationCanceled"},
	{400, BARE("AgentPoolsLimit", "too many"), false, "AgentPoolLimitReached", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false, "AgentPoolsLimit"},
	{400, BARE("BadRequest", "The number of agent pools 101 exceeds the maximum number of agent pools 100."), false, "AgentPoolLimitReached", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false, "BadRequest"},
	{400, BARE("SubnetIsFull", "Subnet is full"), false, "SubnetFull", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false, "SubnetIsFull"},
	{400, BARE("InsufficientSubnetSize", "Pre-allocated IPs exceed"), false, "SubnetFull", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false, "InsufficientSubnetSize"},
	{0, ERROR("InternalServerError", "Subnet s with address prefix 10.0.0.0/28 does not have enough capacity for 31 IP addresses."), false, "SubnetFull", HANDLE_CREATE_ERROR,
	 SCOPE_NONE, 0, false, "InternalServerError"},
	/* 4.4 */
	{404, BARE("NotFound", "Agent Pool not found"), false, "PoolNotFound", HANDLE_GONE, SCOPE_NONE, 0, false, "NotFound"},
	{404, BARE("NotFound", "Could not find it"), false, "PoolNotFound", HANDLE_GONE, SCOPE_NONE, 0, false, "NotFound"},
	{404, ERROR("ResourceNotFound", "The Resource 'Microsoft.ContainerService/managedClusters/c/agentPools/ws1' under resource group 'rg' was not found."), false, "PoolNotFound",
	 HANDLE_GONE, SCOPE_NONE, 0, false, "ResourceNotFound"},
	{404, ERROR("ResourceNotFound", "The Resource 'Microsoft.ContainerService/managedClusters/c' under resource group 'rg' was not found."), false, "ClusterNotFound",
	 HANDLE_CLUSTER_GONE, SCOPE_NONE, 0, false, "ResourceNotFound"},
	{404, ERROR("ParentResourceNotFound", "Failed to perform 'read' on resource(s) of type 'managedClusters/agentPools', because the parent resource could not be found."), false,
	 "ClusterNotFound", HANDLE_CLUSTER_GONE, SCOPE_NONE, 0, false, "ParentResourceNotFound"},
	{404, ERROR("ResourceGroupNotFound", "Resource group 'rg' could not be found."), false, "ClusterNotFound", HANDLE_CLUSTER_GONE, SCOPE_NONE, 0, false, "ResourceGroupNotFound"},
	{404, ERROR("SubscriptionNotFound", "The subscription could not be found."), false, "ClusterNotFound", HANDLE_CLUSTER_GONE, SCOPE_NONE, 0, false, "SubscriptionNotFound"},
	{404, BARE("NotFound", "Could not find managed cluster c"), false, "ClusterNotFound", HANDLE_CLUSTER_GONE, SCOPE_NONE, 0, false, "NotFound"},
	{404, "<html>not here</html>", false, "ClusterNotFound", HANDLE_CLUSTER_GONE, SCOPE_NONE, 0, false, "ClusterNotFound: HTTP 404"},
	{400, BARE("BadRequest", "it is bad"), false, "InvalidRequest", HANDLE_TERMINAL, SCOPE_NONE, 0, false, "BadRequest"},
	{400, BARE("InvalidParameter", "maxPods"), false, "InvalidRequest", HANDLE_TERMINAL, SCOPE_NONE, 0, false, "InvalidParameter"},
	{400, BARE("ReservedResourceName", "The resource name 'windows' is reserved"), false, "InvalidRequest", HANDLE_TERMINAL, SCOPE_NONE, 0, false, "ReservedResourceName"},
	{400, BARE("PropertyChangeNotAllowed", "vmSize"), false, "InvalidRequest", HANDLE_TERMINAL, SCOPE_NONE, 0, false, "PropertyChangeNotAllowed"},
	{400, ERROR("LinkedInvalidPropertyId", "vnetSubnetID"), false, "InvalidRequest", HANDLE_TERMINAL, SCOPE_NONE, 0, false, "LinkedInvalidPropertyId"},
	{400, "", false, "InvalidRequest", HANDLE_TERMINAL, SCOPE_NONE, 0, false, "InvalidRequest: HTTP 400"},
	{403, ERROR("AuthorizationFailed", "The client 'x' does not have authorization to perform action"), false, "AuthorizationFailed", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "AuthorizationFailed"},
	{403, ERROR("LinkedAuthorizationFailed", "The client has permission, however not on the linked scope"), false, "AuthorizationFailed", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false,
	 "LinkedAuthorizationFailed"},
	{403, ERROR("RequestDisallowedByPolicy", "Resource was disallowed by policy"), false, "RequestDisallowedByPolicy", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "RequestDisallowedByPolicy"},
	{400, TEMPLATE(DETAIL("RequestDisallowedByPolicy", "missing tag")), false, "RequestDisallowedByPolicy", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "RequestDisallowedByPolicy: missing tag"},
	{409, ERROR("ReadOnlyDisabledSubscription", "disabled"), false, "SubscriptionDisabled", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "ReadOnlyDisabledSubscription"},
	{409, ERROR("ScopeLocked", "The scope cannot perform delete operation because following scope(s) are locked"), false, "ScopeLocked", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "ScopeLocked"},
	{409, ERROR("MissingSubscriptionRegistration", "The subscription is not registered to use namespace"), false, "ProviderNotRegistered", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false,
	 "MissingSubscriptionRegistration"},
	{403, "", false, "AuthorizationFailed", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "AuthorizationFailed: HTTP 403"},
	{401, ERROR("InvalidAuthenticationToken", "The access token is invalid."), false, "AuthenticationFailed", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "InvalidAuthenticationToken"},
	{401, "", false, "AuthenticationFailed", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "AuthenticationFailed: HTTP 401"},
	{429, ERROR("TooManyRequests", "slow down"), false, "Throttled", HANDLE_THROTTLED, SCOPE_NONE, 0, false, "TooManyRequests"},
	{429, ERROR("SubscriptionRequestsThrottled", "Number of requests exceeded the limit"), false, "Throttled", HANDLE_THROTTLED, SCOPE_NONE, 0, false, "SubscriptionRequestsThrottled"},
	{429, "", false, "Throttled", HANDLE_THROTTLED, SCOPE_NONE, 0, false, "Throttled: HTTP 429"},
	/* tokens */
	{401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700213: No matching federated identity record found\"}", false, "FederatedCredentialMissing", HANDLE_CONFIGURATION,
	 SCOPE_NONE, 0, false, "invalid_client"},
	{400, "{\"error\":\"unauthorized_client\",\"error_description\":\"AADSTS700016: Application was not found\"}", false, "IdentityNotFound", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "unauthorized_client"},
	{401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700024: Client assertion is not within its valid time range\"}", false, "AssertionExpired", HANDLE_CONFIGURATION,
	 SCOPE_NONE, 0, false, "invalid_client"},
	{401, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client secret provided\"}", false, "SecretRefused", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "invalid_client"},
	{400, "{\"error\":\"invalid_request\",\"error_description\":\"AADSTS90002: Tenant not found\"}", false, "TokenRefused", HANDLE_CONFIGURATION, SCOPE_NONE, 0, false, "invalid_request"},
	/* what says little */
	{409, ERROR("Conflict", "conflict"), false, "OperationInProgress", HANDLE_IN_PROGRESS, SCOPE_NONE, 0, false, "Conflict"},
	{500, ERROR("InternalServerError", "An unexpected error"), false, "ServerError", HANDLE_PASSING, SCOPE_NONE, 0, false, "InternalServerError"},
	{408, "", false, "ServerError", HANDLE_PASSING, SCOPE_NONE, 0, false, "ServerError: HTTP 408"},
	{500, "", false, "ServerError", HANDLE_PASSING, SCOPE_NONE, 0, false, "ServerError: HTTP 500"},
	{502, "<html><title>Bad Gateway</title></html>", false, "ServerError", HANDLE_PASSING, SCOPE_NONE, 0, false, "ServerError: HTTP 502: Bad Gateway"},
	{503, "", false, "ServerError", HANDLE_PASSING, SCOPE_NONE, 0, false, "ServerError: HTTP 503"},
	{504, "", false, "ServerError", HANDLE_PASSING, SCOPE_NONE, 0, false, "ServerError: HTTP 504"},
	{0, ERROR("SomethingNew", "never seen"), false, "CreateInstanceFailed", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false, "SomethingNew: never seen"},
	{409, TEMPLATE(DETAIL("SomethingNew", "nested and never seen")), false, "CreateInstanceFailed", HANDLE_CREATE_ERROR, SCOPE_NONE, 0, false, "SomethingNew: nested"},
};

static void classify(struct failure *f, int status, const char *header, const char *body, bool spot)
{
	struct arm_error e = {0};
	arm_error_read(&e, status, header, str_of(body));
	taxonomy_classify(&e, spot, f);
	arm_error_done(&e);
}

START_TEST(answers_are_understood)
{
	for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
		struct failure f;
		classify(&f, CASES[i].status, NULL, CASES[i].body, CASES[i].spot);
		ck_assert_msg(strcmp(f.row->reason, CASES[i].reason) == 0, "%.120s: %s, not %s", CASES[i].body, f.row->reason, CASES[i].reason);
		ck_assert_msg(f.row->handling == CASES[i].handling && f.row->scope == CASES[i].scope && f.row->insufficient == CASES[i].insufficient, "%.120s", CASES[i].body);
		ck_assert_msg(f.cooldown_s == CASES[i].cooldown_s, "%.120s: %lld s", CASES[i].body, (long long)f.cooldown_s);
		ck_assert_msg(strncmp(f.message, CASES[i].code, strlen(CASES[i].code)) == 0, "%.120s: %s", CASES[i].body, f.message);
	}
}
END_TEST

START_TEST(no_row_is_without_a_case)
{
	for (size_t row = 0; row < FAILURE_COUNT; row++) {
		bool met = false;
		for (size_t i = 0; i < sizeof CASES / sizeof CASES[0] && !met; i++) {
			struct failure f;
			classify(&f, CASES[i].status, NULL, CASES[i].body, CASES[i].spot);
			met = f.row == &FAILURES[row];
		}
		ck_assert_msg(met, "row %zu: %s %s", row, FAILURES[row].code ? FAILURES[row].code : "any", FAILURES[row].text ? FAILURES[row].text : "");
	}
}
END_TEST

START_TEST(words_are_no_codes)
{
	struct failure f;
	classify(&f, 0, NULL, ERROR("Odd", "the word AllocationFailed alone, and Code=AllocationFailedTwice, say nothing"), false);
	ck_assert_str_eq(f.row->reason, "CreateInstanceFailed");
	classify(&f, 0, NULL, ERROR("Odd", "inner Code=NotFound is somebody else's"), false);
	ck_assert_str_eq(f.row->reason, "CreateInstanceFailed");
	classify(&f, 400, "SkuNotAvailable", BARE("BadRequest", "m"), false);
	ck_assert_str_eq(f.row->reason, "SKUNotAvailable"); /* x-ms-error-code */
	classify(&f, 409, NULL, ERROR("OperationNotAllowed", "Current Limit: 0.5 of Family Cores quota"), false);
	ck_assert_int_eq(f.cooldown_s, 600);
	classify(&f, 409, NULL, ERROR("OperationNotAllowed", "Family Cores quota, Current Limit: 0."), false);
	ck_assert_int_eq(f.cooldown_s, 3600);
}
END_TEST

static bool whole_text(const char *s)
{
	size_t bad;
	return str_is_utf8(str_of(s), &bad);
}

/* Long texts of one to four bytes a character, cut at every offset. */
START_TEST(the_headers_code_stands_before_the_bodys)
{
	struct failure f;
	classify(&f, 409, "OperationNotAllowed",
		 "{\"error\":{\"code\":\"BadRequest\",\"message\":\"exceeding approved standardNCSv3Family Family Cores quota. Submit a request for Quota increase\"}}", false);
	ck_assert_str_eq(f.row->reason, "SubscriptionQuotaReached");
	ck_assert_msg(strncmp(f.message, "OperationNotAllowed: exceeding", 30) == 0, "%s", f.message);
	classify(&f, 409, NULL, "{\"error\":{\"code\":\"ReconcileVMSSAgentPoolFailed\",\"message\":\"{\\\"error\\\":{\\\"code\\\":\\\"OperationNotAllowed\\\","
				"\\\"message\\\":\\\"exceeding approved standardNCSv3Family Family Cores quota\\\"}}\"}}", false);
	ck_assert_str_eq(f.row->reason, "SubscriptionQuotaReached");
	ck_assert_msg(strncmp(f.message, "OperationNotAllowed: exceeding", 30) == 0, "%s", f.message);
}
END_TEST

START_TEST(messages_have_code_and_remedy_first_and_fit)
{
	static const char *const LETTERS[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	for (size_t l = 0; l < 4; l++)
		for (size_t n = 0; n < 1000; n += n < 300 ? 1 : 37) {
			CLEANUP(buf_done) struct buf body = {0};
			buf_puts(&body, "{\"code\":\"AllocationFailed\",\"message\":\"");
			for (size_t i = 0; i < n; i++)
				buf_puts(&body, LETTERS[l]);
			buf_puts(&body, "\"}");
			struct failure f;
			classify(&f, 409, NULL, body.data, false);
			ck_assert(strlen(f.message) <= 800 && whole_text(f.message));
			ck_assert(strncmp(f.message, "AllocationFailed: ", 18) == 0);
			const char *remedy = strstr(f.message, f.row->remedy);
			ck_assert_msg(remedy && (size_t)(remedy - f.message) + strlen(f.row->remedy) <= 256, "%zu %s", n, f.message);
		}
}
END_TEST

START_TEST(every_remedy_fits_beside_the_longest_code)
{
	for (size_t i = 0; i < FAILURE_COUNT; i++) {
		size_t n = strlen(FAILURES[i].remedy);
		ck_assert_msg(n > 0 && n <= TAXONOMY_REMEDY_MAX && FAILURES[i].remedy[n - 1] != '.', "%s", FAILURES[i].remedy);
		ck_assert_msg(FAILURES[i].meaning[0] && FAILURES[i].meaning[strlen(FAILURES[i].meaning) - 1] == '.', "%s", FAILURES[i].meaning);
		ck_assert_uint_le(strlen(FAILURES[i].reason), 64);
		ck_assert(whole_text(FAILURES[i].remedy) && whole_text(FAILURES[i].meaning));
		ck_assert_msg((FAILURES[i].cooldown_s != 0) == (FAILURES[i].scope != SCOPE_NONE), "%s", FAILURES[i].reason);
	}
	char code[200] = "";
	for (size_t i = 0; i < ARM_CODE_MAX; i++)
		code[i] = 'C';
	CLEANUP(buf_done) struct buf body = {0};
	struct failure f;
	buf_printf(&body, "{\"code\":\"%s\",\"message\":\"", code);
	for (size_t i = 0; i < 900; i++)
		buf_putc(&body, 'm');
	buf_puts(&body, "\"}");
	classify(&f, 409, NULL, body.data, false);
	const char *remedy = strstr(f.message, f.row->remedy);
	ck_assert(strncmp(f.message, code, ARM_CODE_MAX) == 0 && remedy && (size_t)(remedy - f.message) + strlen(f.row->remedy) <= 256);
}
END_TEST

START_TEST(the_page_in_the_tree_is_fresh)
{
	struct err err = ERR_INIT;
	CLEANUP(buf_done) struct buf printed = {0};
	CLEANUP(buf_done) struct buf stored = {0};
	taxonomy_print_markdown(&printed);
	ck_assert_msg(fd_read_file(source_path("docs/node-errors.md"), 1 << 20, &stored, &err) == 0, "%s", err.message);
	ck_assert_msg(str_eq(buf_str(&printed), buf_str(&stored)), "docs/node-errors.md is stale: run build/.../src/azure/kaito-node-errors SOURCE_ROOT");
}
END_TEST

int main(void)
{
	CHECK_RUN("taxonomy", 20, answers_are_understood, no_row_is_without_a_case, words_are_no_codes, the_headers_code_stands_before_the_bodys, messages_have_code_and_remedy_first_and_fit,
		  every_remedy_fits_beside_the_longest_code, the_page_in_the_tree_is_fresh);
}
