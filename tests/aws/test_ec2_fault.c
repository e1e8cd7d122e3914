/* The table of error codes, row by row; and the words. */
#include "check_main.h"

#include "aws/ec2_fault.h"
#include "base/str.h"

static const struct { const char *code, *reason; enum ec2_handling handling; enum ec2_scope scope; int64_t cooldown_s; } ROWS[] = {
	{"InsufficientInstanceCapacity", "InsufficientInstanceCapacity", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, 180},
	{"InsufficientHostCapacity", "InsufficientInstanceCapacity", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, 180},
	{"MaxSpotInstanceCountExceeded", "MaxSpotInstanceCountExceeded", EC2_FAULT_OFFERING, EC2_SCOPE_CAPACITY, 180},
	{"VcpuLimitExceeded", "VcpuLimitExceeded", EC2_FAULT_OFFERING, EC2_SCOPE_TYPE, 180},
	{"InstanceLimitExceeded", "InstanceLimitExceeded", EC2_FAULT_OFFERING, EC2_SCOPE_TYPE, 180},
	{"MaxFleetCountExceeded", "InstanceLimitExceeded", EC2_FAULT_OFFERING, EC2_SCOPE_TYPE, 180},
	{"UnfulfillableCapacity", "UnfulfillableCapacity", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, 180},
	{"Unsupported", "UnsupportedInstanceType", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, 180},
	{"InsufficientFreeAddressesInSubnet", "InsufficientFreeAddressesInSubnet", EC2_FAULT_OFFERING, EC2_SCOPE_ZONE, 180},
	{"InvalidInstanceType", "InvalidInstanceType", EC2_FAULT_OFFERING, EC2_SCOPE_TYPE, 3600},
	{"AuthFailure.ServiceLinkedRoleCreationNotPermitted", "SpotRoleMissing", EC2_FAULT_OFFERING, EC2_SCOPE_CAPACITY, 180},
	{"PendingVerification", "PendingVerification", EC2_FAULT_ACCESS, EC2_SCOPE_NONE, 0},
	{"UnauthorizedOperation", "UnauthorizedOperation", EC2_FAULT_ACCESS, EC2_SCOPE_NONE, 0},
	{"AccessDeniedException", "UnauthorizedOperation", EC2_FAULT_ACCESS, EC2_SCOPE_NONE, 0},
	{"AuthFailure", "AuthFailure", EC2_FAULT_ACCESS, EC2_SCOPE_NONE, 0},
	{"SignatureDoesNotMatch", "AuthFailure", EC2_FAULT_ACCESS, EC2_SCOPE_NONE, 0},
	{"RequestLimitExceeded", "RequestLimitExceeded", EC2_FAULT_THROTTLED, EC2_SCOPE_NONE, 0},
	{"ThrottlingException", "RequestLimitExceeded", EC2_FAULT_THROTTLED, EC2_SCOPE_NONE, 0},
	{"InternalError", "InternalError", EC2_FAULT_PASSING, EC2_SCOPE_NONE, 0},
	{"Unavailable", "InternalError", EC2_FAULT_PASSING, EC2_SCOPE_NONE, 0},
	{"InvalidInstanceID.NotFound", "InstanceNotFound", EC2_FAULT_GONE, EC2_SCOPE_NONE, 0},
	{"IncorrectInstanceState", "IncorrectInstanceState", EC2_FAULT_BUSY, EC2_SCOPE_NONE, 0},
	{"InvalidLaunchTemplateName.NotFoundException", "LaunchTemplateNotFound", EC2_FAULT_TEMPLATE, EC2_SCOPE_NONE, 0},
	{"IdempotentParameterMismatch", "IdempotentParameterMismatch", EC2_FAULT_TOKEN, EC2_SCOPE_NONE, 0},
	{"IdempotentInstanceTerminated", "IdempotentParameterMismatch", EC2_FAULT_TOKEN, EC2_SCOPE_NONE, 0},
	{"InvalidSubnetID.NotFound", "SubnetNotFound", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0},
	{"InvalidGroup.NotFound", "SecurityGroupNotFound", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0},
	{"InvalidAMIID.Malformed", "ImageNotFound", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0},
	{"InvalidIamInstanceProfileName.NotFound", "InstanceProfileNotFound", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0},
	{"InvalidParameterValue", "InvalidRequest", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0},
	{"InvalidLaunchTemplateName.MalformedException", "InvalidRequest", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0},
	{"SomethingNew", "LaunchFailed", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0},
	{"", "LaunchFailed", EC2_FAULT_INVALID, EC2_SCOPE_NONE, 0},
};

START_TEST(each_code_has_its_row)
{
	bool used[64] = {0};
	for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
		const struct ec2_fault_row *row = ec2_fault_find(ROWS[i].code);
		ck_assert_msg(strcmp(row->reason, ROWS[i].reason) == 0, "%s is %s", ROWS[i].code, row->reason);
		ck_assert_int_eq(row->handling, ROWS[i].handling);
		ck_assert_int_eq(row->scope, ROWS[i].scope);
		ck_assert_int_eq(row->cooldown_s, ROWS[i].cooldown_s);
		used[row - EC2_FAULTS] = true;
	}
	for (size_t i = 0; i < EC2_FAULT_COUNT; i++)
		ck_assert_msg(used[i], "%s has no line in this test", EC2_FAULTS[i].reason);
}
END_TEST

START_TEST(an_offering_is_always_cooled_down)
{
	for (size_t i = 0; i < EC2_FAULT_COUNT; i++) {
		bool offering = EC2_FAULTS[i].handling == EC2_FAULT_OFFERING;
		ck_assert_int_eq(offering, EC2_FAULTS[i].cooldown_s > 0);
		ck_assert_int_eq(offering, EC2_FAULTS[i].scope != EC2_SCOPE_NONE);
		ck_assert_uint_le(strlen(EC2_FAULTS[i].remedy), 110);
	}
}
END_TEST

START_TEST(the_remedy_is_among_the_first_words)
{
	char text[801], longer[700], *at;
	const struct ec2_fault_row *row = ec2_fault_find("VcpuLimitExceeded");
	ec2_fault_text(row, "VcpuLimitExceeded", "You have requested more vCPU capacity.", text);
	ck_assert_str_eq(text, "VcpuLimitExceeded: You have requested more vCPU capacity.; raise the quota in Service Quotas, or allow another instance type");
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	memcpy(longer + 100, "\xc3\xa9\xc3\xa9\xc3\xa9", 6);
	ec2_fault_text(row, "VcpuLimitExceeded", longer, text);
	at = strstr(text, row->remedy);
	ck_assert_ptr_nonnull(at);
	ck_assert_int_le(at + strlen(row->remedy) - text, 256);
	ck_assert(str_is_utf8(str_of(text), &(size_t){0}));
}
END_TEST

int main(void) { CHECK_RUN("aws/ec2_fault", 20, each_code_has_its_row, an_offering_is_always_cooled_down, the_remedy_is_among_the_first_words); }
