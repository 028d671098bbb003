/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "actuators/libvirt_volume.h"
#include "base/base.h"
#include "tests/runner.h"

START_TEST(a_path_is_absolute_and_printable)
{
    static const char *const paths[] = { "/dev/vg/lv", "/srv/images/ü b.img", "/" };
    static const char *const others[] = { "", "pool/image", "iqn.2026-11:x", "/a\nb", "/a\x7f" };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        ck_assert_msg(libvirt_volume_is_path(paths[i]), "%s", paths[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        ck_assert_msg(!libvirt_volume_is_path(others[i]), "%s", others[i]);
    }
}
END_TEST

START_TEST(a_path_that_no_host_could_open_is_not_believed)
{
    char path[LIBVIRT_VOLUME_PATH_MAX_BYTES + 2];

    memset(path, '/', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    ck_assert(!libvirt_volume_is_path(path));
    ck_assert(libvirt_volume_is_path(path + 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_volume");
    TCase *tcase = tcase_create("volume");

    tcase_add_test(tcase, a_path_is_absolute_and_printable);
    tcase_add_test(tcase, a_path_that_no_host_could_open_is_not_believed);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
