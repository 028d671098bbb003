/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/digest.h"
#include "tests/runner.h"

/* NIST, "SHA-256 examples", and the digest of nothing. */
static const struct {
    const char *bytes;
    const char *hex;
} vectors[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

START_TEST(known_bytes_have_their_known_digest)
{
    char hex[DIGEST_TEXT_SIZE];

    ck_assert_str_eq(digest_of(vectors[_i].bytes, strlen(vectors[_i].bytes), hex), vectors[_i].hex);
    ck_assert_uint_eq(strlen(hex), DIGEST_TEXT_SIZE - 1);
}
END_TEST

START_TEST(a_million_letters_have_their_known_digest)
{
    const size_t million = 1000000;
    char *letters = malloc(million);
    char hex[DIGEST_TEXT_SIZE];

    ck_assert_ptr_nonnull(letters);
    memset(letters, 'a', million);
    ck_assert_str_eq(digest_of(letters, million, hex),
                     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(letters);
}
END_TEST

START_TEST(bytes_behind_a_nul_count)
{
    char with[DIGEST_TEXT_SIZE];
    char without[DIGEST_TEXT_SIZE];

    (void)digest_of("a\0b", 3, with);
    (void)digest_of("a\0c", 3, without);
    ck_assert_str_ne(with, without);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");

    tcase_add_loop_test(tcase, known_bytes_have_their_known_digest, 0, (int)ARRAY_LEN(vectors));
    tcase_add_test(tcase, a_million_letters_have_their_known_digest);
    tcase_add_test(tcase, bytes_behind_a_nul_count);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
