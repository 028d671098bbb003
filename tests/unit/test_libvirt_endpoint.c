/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "actuators/libvirt_endpoint.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/text.h"
#include "tests/runner.h"

START_TEST(an_endpoint_is_what_a_uri_is_reached_at)
{
    static const struct {
        const char *uri;
        unsigned port;
        const char *endpoint; /* NULL = none. */
    } cases[] = {
        { "qemu+ssh://root@kvm2/system?no_tty=1", 0, "kvm2:22" },
        { "qemu+ssh://root@kvm2:2222/system", 0, "kvm2:2222" },
        { "qemu+libssh2://kvm2/system", 0, "kvm2:22" },
        { "qemu+tcp://kvm2.example.com/system", 0, "kvm2.example.com:16509" },
        { "qemu+tls://10.0.0.2/system", 0, "10.0.0.2:16514" },
        { "qemu://kvm2/system", 0, "kvm2:16514" },
        { "qemu+tcp://[fd00::2]/system", 0, "fd00::2:16509" },
        { "qemu+tcp://[fd00::2]:99/system", 0, "fd00::2:99" },
        { "tcp://kvm2", 49152, "kvm2:49152" },
        { "tcp://kvm2:49160", 49152, "kvm2:49160" },
        { "qemu+unix:///system", 0, NULL },
        { "qemu:///system", 0, NULL },
        { "qemu+ssh://kvm2:port/system", 0, NULL },
        { "qemu+ssh://kvm2:0/system", 0, NULL },
        { "qemu+tcp://$(id)/system", 0, NULL },
        { "qemu+tcp://-o/system", 0, NULL },
        { "qemu+tcp://a;b/system", 0, NULL },
        { "kvm2", 0, NULL },
        { "", 0, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena) struct arena arena = ARENA_INIT;
        const char *endpoint = libvirt_endpoint_of(&arena, cases[i].uri, cases[i].port);

        ck_assert_msg(text_equal(endpoint, cases[i].endpoint), "%s: %s", cases[i].uri,
                      endpoint == NULL ? "none" : endpoint);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libvirt_endpoint");
    TCase *tcase = tcase_create("endpoint");

    tcase_add_test(tcase, an_endpoint_is_what_a_uri_is_reached_at);
    suite_add_tcase(suite, tcase);
    return runner_run(suite);
}
