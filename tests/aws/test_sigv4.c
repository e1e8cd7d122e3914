/* Signatures: the example of AWS's own documentation, and a second computation by the definition of HMAC. */
#include "check_main.h"

#include "aws/sigv4.h"
#include "codec/digest.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const struct sigv4_header HEADERS[] = {
	{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}, {"host", "iam.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"},
};
static const struct sigv4_request LIST_USERS = {.method = "GET", .path = "/", .query = "Action=ListUsers&Version=2010-05-08", .headers = HEADERS, .n_headers = 3};
static const struct sigv4_key KEY = {"AKIDEXAMPLE", SECRET, "us-east-1", "iam"};

START_TEST(the_documented_example_is_signed_as_documented)
{
	char *canonical = sigv4_canonical(&LIST_USERS), digest[DIGEST_TEXT];
	digest_of(canonical, strlen(canonical), digest);
	ck_assert_str_eq(digest_hex(digest), "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
	free(canonical);
	char *header = sigv4_authorization(&LIST_USERS, &KEY, "20150830T123600Z");
	ck_assert_str_eq(header, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, "
				 "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
	free(header);
}
END_TEST

/* --- the definition, as plainly as it can be put ------------------------------------------------------------------------ */

static void sha256(const unsigned char *data, size_t n, unsigned char out[32])
{
	char text[DIGEST_TEXT];
	digest_of(data, n, text);
	for (int i = 0; i < 32; i++)
		ck_assert_int_eq(sscanf(digest_hex(text) + 2 * i, "%2hhx", &out[i]), 1);
}

static void plain_hmac(const unsigned char *key, size_t n, const char *text, unsigned char out[32])
{
	unsigned char block[64] = {0}, inner[64 + 4096], outer[64 + 32];
	size_t len = strlen(text);
	ck_assert_uint_le(len, 4096);
	ck_assert_uint_le(n, 64);
	memcpy(block, key, n);
	for (int i = 0; i < 64; i++) {
		inner[i] = block[i] ^ 0x36;
		outer[i] = block[i] ^ 0x5c;
	}
	memcpy(inner + 64, text, len);
	sha256(inner, 64 + len, outer + 64);
	sha256(outer, 96, out);
}

START_TEST(a_post_with_a_session_is_signed_by_the_definition)
{
	static const struct sigv4_header SENT[] = {{"content-type", "a"}, {"host", "127.0.0.1:80"}, {"x-amz-date", "20261124T080000Z"}, {"x-amz-security-token", "  s  t "}};
	const struct sigv4_request q = {.method = "POST", .path = "", .query = "", .headers = SENT, .n_headers = 4, .body = STR("Action=CreateFleet")};
	const struct sigv4_key k = {"id", "secret", "eu-west-3", "ec2"};
	char body[DIGEST_TEXT], hash[DIGEST_TEXT], canonical[1000], to_sign[1000], wanted[80] = "";
	unsigned char key[32];
	digest_of(q.body.data, q.body.len, body);
	snprintf(canonical, sizeof canonical, "POST\n/\n\ncontent-type:a\nhost:127.0.0.1:80\nx-amz-date:20261124T080000Z\nx-amz-security-token:s t\n\ncontent-type;host;x-amz-date;x-amz-security-token\n%s",
		 digest_hex(body));
	char *ours = sigv4_canonical(&q);
	ck_assert_str_eq(ours, canonical);
	free(ours);
	digest_of(canonical, strlen(canonical), hash);
	snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256\n20261124T080000Z\n20261124/eu-west-3/ec2/aws4_request\n%s", digest_hex(hash));
	plain_hmac((const unsigned char *)"AWS4secret", 10, "20261124", key);
	plain_hmac(key, 32, "eu-west-3", key);
	plain_hmac(key, 32, "ec2", key);
	plain_hmac(key, 32, "aws4_request", key);
	plain_hmac(key, 32, to_sign, key);
	for (int i = 0; i < 32; i++)
		snprintf(wanted + 2 * i, 3, "%02x", key[i]);
	char *header = sigv4_authorization(&q, &k, "20261124T080000Z");
	ck_assert_str_eq(strstr(header, "Signature=") + 10, wanted);
	free(header);
}
END_TEST

START_TEST(times_and_escapes)
{
	char date[17];
	struct buf out = {0};
	sigv4_time(1440938160, date);
	ck_assert_str_eq(date, "20150830T123600Z");
	sigv4_put_escaped(&out, STR("a b/c~-_.=é\n"));
	ck_assert_str_eq(out.data, "a%20b%2Fc~-_.%3D%C3%A9%0A");
	buf_done(&out);
}
END_TEST

int main(void) { CHECK_RUN("aws/sigv4", 20, the_documented_example_is_signed_as_documented, a_post_with_a_session_is_signed_by_the_definition, times_and_escapes); }
