/* ec2_fault.c: see ec2_fault.h. Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
#include "aws/ec2_fault.h"

#include "base/str.h"
#include <stdio.h>

#define ICE_S 180 /* how long a machine that was not to be had is left out */
#define QUOTA "raise the quota in Service Quotas, or allow another instance type"

const struct ec2_fault_row EC2_FAULTS[] = {
	/* --- the machine cannot be had --- */
	{"InsufficientInstanceCapacity|InsufficientHostCapacity|InsufficientReservedInstanceCapacity|InsufficientCapacity", "InsufficientInstanceCapacity", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, ICE_S,
	 "AWS has none free in this zone: wait, or allow other zones or instance types"},
	{"MaxSpotInstanceCountExceeded|SpotMaxPriceTooLow", "MaxSpotInstanceCountExceeded", EC2_FAULT_OFFERING, EC2_SCOPE_CAPACITY, ICE_S, "raise the spot quota, or allow on-demand"},
	{"VcpuLimitExceeded", "VcpuLimitExceeded", EC2_FAULT_OFFERING, EC2_SCOPE_TYPE, ICE_S, QUOTA},
	{"InstanceLimitExceeded|MaxFleetCountExceeded|MaxScheduledInstanceCapacityExceeded", "InstanceLimitExceeded", EC2_FAULT_OFFERING, EC2_SCOPE_TYPE, ICE_S, QUOTA},
	{"UnfulfillableCapacity", "UnfulfillableCapacity", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, ICE_S, "allow other zones or instance types"},
	{"Unsupported|UnsupportedOperation", "UnsupportedInstanceType", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, ICE_S, "the zone does not have this instance type: allow other zones or types"},
	{"InsufficientFreeAddressesInSubnet", "InsufficientFreeAddressesInSubnet", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, ICE_S, "use a larger subnet, or one in another zone"},
	{"InvalidInstanceType", "InvalidInstanceType", EC2_FAULT_OFFERING, EC2_SCOPE_TYPE, ICE_S * 20, "the region does not have this instance type: check its name"},
	{"AuthFailure.ServiceLinkedRoleCreationNotPermitted", "SpotRoleMissing", EC2_FAULT_OFFERING, EC2_SCOPE_CAPACITY, ICE_S,
	 "make the role: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"},
	{"PendingVerification", "PendingVerification", EC2_FAULT_ACCESS, EC2_SCOPE_NONE, 0, "AWS is checking the account; wait or ask support"},

	/* --- who may do what --- */
	{"UnauthorizedOperation|AccessDenied|AccessDeniedException|OptInRequired|Blocked", "UnauthorizedOperation", EC2_FAULT_ACCESS, EC2_SCOPE_NONE, 0,
	 "allow the action in the policy of the provisioner's role (docs/aws.md)"},
	{"AuthFailure|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|RequestExpired|IncompleteSignature|MissingAuthenticationToken|UnrecognizedClientException",
	 "AuthFailure", EC2_FAULT_ACCESS, EC2_SCOPE_NONE, 0, "check the provisioner's credentials, and this machine's clock"},

	/* --- pace --- */
	{"RequestLimitExceeded|Throttling|ThrottlingException|TooManyRequestsException|RequestThrottled|RequestThrottledException|EC2ThrottledException", "RequestLimitExceeded",
	 EC2_FAULT_THROTTLED, EC2_SCOPE_NONE, 0, "wait; it is tried again"},
	{"InternalError|InternalFailure|InternalServerError|ServiceUnavailable|Unavailable|ConcurrentTagAccess|RequestResourceCountExceeded", "InternalError",
	 EC2_FAULT_PASSING, EC2_SCOPE_NONE, 0, "wait; it is tried again"},

	/* --- things that are not there --- */
	{"InvalidInstanceID.NotFound|InvalidInstanceID.Malformed", "InstanceNotFound", EC2_FAULT_GONE, EC2_SCOPE_NONE, 0, "nothing; it does not exist"},
	{"IncorrectInstanceState|IncorrectState|OperationNotPermitted", "IncorrectInstanceState", EC2_FAULT_BUSY, EC2_SCOPE_NONE, 0,
	 "wait; if it stays, look for termination protection on the instance"},
	{"InvalidLaunchTemplateName.NotFoundException|InvalidLaunchTemplateId.NotFound|InvalidLaunchTemplateId.VersionNotFound|InvalidLaunchTemplateId.Malformed", "LaunchTemplateNotFound",
	 EC2_FAULT_TEMPLATE, EC2_SCOPE_NONE, 0, "nothing; it is made again"},
	{"IdempotentParameterMismatch|IdempotentParameterMismatchException|IdempotentInstanceTerminated", "IdempotentParameterMismatch", EC2_FAULT_TOKEN, EC2_SCOPE_NONE, 0, "nothing; what exists is looked for"},

	/* --- the request --- */
	{"InvalidSubnetID.NotFound|InvalidSubnet*", "SubnetNotFound", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0, "correct subnetSelectorTerms"},
	{"InvalidGroup.NotFound|InvalidGroupId.Malformed|InvalidSecurityGroupID.NotFound|InvalidSecurityGroupId.Malformed", "SecurityGroupNotFound", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0,
	 "correct securityGroupSelectorTerms"},
	{"InvalidAMIID*", "ImageNotFound", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0, "correct amiSelectorTerms"},
	{"InvalidIamInstanceProfileArn*|InvalidIamInstanceProfile*", "InstanceProfileNotFound", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0, "make the instance profile, or correct role or instanceProfile"},
	{"InvalidLaunchTemplate*|InvalidParameter*|InvalidBlockDeviceMapping*|InvalidUserData*|MissingParameter|MissingInput|UnknownParameter|ValidationError|VolumeTypeNotAvailableInZone|Invalid*",
	 "InvalidRequest", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0, "correct the EC2NodeClass"},

	{NULL, "LaunchFailed", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0, "look the code up in the EC2 API reference"},
};
const size_t EC2_FAULT_COUNT = sizeof EC2_FAULTS / sizeof EC2_FAULTS[0];

static bool matches(const char *codes, const char *code)
{
	str all = str_of(codes);
	for (size_t from = 0, end; from < all.len; from = end + 1) {
		end = str_find(all, '|', from);
		str word = str_sub(all, from, end);
		bool begins = str_ends(word, STR("*"));
		if (begins ? str_starts(str_of(code), str_sub(word, 0, word.len - 1)) : str_eqz(word, code))
			return true;
	}
	return false;
}

const struct ec2_fault_row *ec2_fault_find(const char *code)
{
	size_t i = 0;
	while (i + 1 < EC2_FAULT_COUNT && !matches(EC2_FAULTS[i].code, code))
		i++;
	return &EC2_FAULTS[i];
}

/* At most `max` bytes of text, whole characters. */
static int whole(const char *text, size_t max)
{
	size_t n = strlen(text);
	if (n <= max)
		return (int)n;
	for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	return (int)n;
}

void ec2_fault_text(const struct ec2_fault_row *row, const char *code, const char *text, char out[801])
{
	const char *word = code[0] ? code : row->reason;
	size_t fixed = strlen(word) + strlen(row->remedy) + 8, room = fixed < 250 ? 250 - fixed : 40;
	int shown = whole(text, room);
	if ((size_t)shown == strlen(text))
		snprintf(out, 801, "%.100s: %s; %s", word, text, row->remedy);
	else
		snprintf(out, 801, "%.100s: %.*s...; %s. In full: %.*s", word, shown, text, row->remedy, whole(text, 480), text);
}
