/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/world.h"

#include <check.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actuators/actuator.h"
#include "actuators/libvirt.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/loop_uv.h"
#include "base/text.h"
#include "model/fault.h"
#include "model/profile.h"
#include "reconciler/config_profile.h"

#define ARGUMENTS_MAX 12
#define SLOW_MBIT     "20"
#define NARROW_MBIT   "50"

/* What fence_lab keeps in the directory of the fleet, and wants to be told. */
#define FENCE_MODE    "fence"
#define FENCE_SECRETS "fence.secret"
#define SECRETS       "password=let me\n"

struct world {
    const char *script;
    struct loop *loop;
    struct arena arena;            /* Of 'profile'. */
    const struct profile *profile; /* Once it was asked for. */
};

/* Runs 'lab ARGUMENTS...', up to a NULL; its exit status. */
static int run(const struct world *world, const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 2] = { 0 };
    size_t count = 0;
    pid_t pid;
    int status;
    int problem;

    argv[count++] = strdup(world->script);
    for (; *arguments != NULL && count <= ARGUMENTS_MAX; arguments++) {
        argv[count++] = strdup(*arguments);
    }
    problem = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    for (size_t i = 0; i < count; i++) {
        free(argv[i]);
    }
    ck_assert_msg(problem == 0, "cannot run '%s': %s", world->script, strerror(problem));
    while (waitpid(pid, &status, 0) < 0) {
        ck_assert_int_eq(errno, EINTR);
    }
    return status;
}

#define LAB(world, ...)                                                               \
    do {                                                                              \
        const char *const arguments_[] = { __VA_ARGS__, NULL };                       \
        ck_assert_msg(run((world), arguments_) == 0, "lab %s failed", arguments_[0]); \
    } while (0)

static const char *fleet_file(struct world *world, const char *name)
{
    return text_format(&world->arena, "/run/berth-lab-%s/%s", getenv("BERTH_LAB_ID"), name);
}

static void write_file(struct world *world, const char *name, const char *text)
{
    struct err err = { 0 };

    ck_assert_msg(file_replace(fleet_file(world, name), text, strlen(text), 0600, &err) == 0, "%s",
                  err.text);
}

void world_set_fence(struct world *world, enum world_fence fence)
{
    static const char *const modes[] = {
        [WORLD_FENCE_WORKS] = "works", [WORLD_FENCE_SLOW] = "slow", [WORLD_FENCE_FAILS] = "fails",
        [WORLD_FENCE_IDLE] = "idle",   [WORLD_FENCE_LIES] = "lies", [WORLD_FENCE_LATE] = "late",
        [WORLD_FENCE_MUTE] = "mute",
    };

    write_file(world, FENCE_MODE, modes[fence]);
}

struct world *world_open(void)
{
    struct world *world = calloc(1, sizeof(*world));
    const char *script = getenv("BERTH_LAB_SCRIPT");

    ck_assert_ptr_nonnull(world);
    world->script = script != NULL ? script : "tests/lab/lab";
    world->loop = loop_uv_new();
    /* A case that failed before may have left them so. */
    LAB(world, "thaw", "kvm1");
    LAB(world, "thaw", "kvm2");
    LAB(world, "rate", "kvm1", "0");
    write_file(world, FENCE_SECRETS, SECRETS);
    world_set_fence(world, WORLD_FENCE_WORKS);
    return world;
}

void world_close(struct world *world)
{
    loop_uv_free(world->loop);
    arena_deinit(&world->arena);
    free(world);
}

struct loop *world_loop(struct world *world)
{
    return world->loop;
}

/* What the script prints on the only line that begins with 'key'. */
static char *ask(struct arena *arena, const struct world *world, const char *what, const char *key)
{
    char *command = text_format(arena, "'%s' %s", world->script, what);
    FILE *output = popen(command, "re");
    char line[512];
    char *found = NULL;

    ck_assert_ptr_nonnull(output);
    while (fgets(line, sizeof(line), output) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, key, strlen(key)) == 0) {
            found = arena_strdup(arena, line + strlen(key));
        }
    }
    ck_assert_int_eq(pclose(output), 0);
    ck_assert_msg(found != NULL, "'%s' says nothing of '%s'", command, key);
    return found;
}

static const char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? "." : text_copy(arena, path, (size_t)(slash - path));
}

/* Of kvm1 alone; the actuator copies what it is told. */
static int tell_fence(void *context, const char *name, struct libvirt_host *host, struct err *err)
{
    struct world *world = context;

    if (strcmp(name, "kvm1") != 0) {
        return err_set(err, ERR_NOT_FOUND, "no fence for '%s'", name);
    }
    host->fence = (struct fence_device){
        .agent =
            text_format(&world->arena, "%s/fence_lab", folder_of(&world->arena, world->script)),
        .options = text_format(&world->arena, "lab=%s\nid=%s\nport=kvm1\n", world->script,
                               getenv("BERTH_LAB_ID")),
        .secrets = fleet_file(world, FENCE_SECRETS),
    };
    return 0;
}

struct actuator *world_actuator(struct world *world)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    struct libvirt_host hosts[] = {
        { .name = "kvm1", .ssh = "root@kvm1" },
        { .name = "kvm2", .ssh = "root@kvm2" },
    };
    const struct libvirt_settings settings = {
        .hosts = hosts,
        .host_count = ARRAY_LEN(hosts),
        .resolve = tell_fence,
        .context = world,
        .ssh_key = ask(&arena, world, "ssh-config", "ssh_key = "),
        .ssh_known_hosts = ask(&arena, world, "ssh-config", "ssh_known_hosts = "),
    };
    struct actuator *actuator;
    struct err err = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        hosts[i].uri = text_format(&arena, "qemu+tcp://%s/system", hosts[i].name);
        hosts[i].peer_uri = hosts[i].uri;
    }
    actuator = libvirt_open(world->loop, &settings, &err);
    ck_assert_msg(actuator != NULL, "%s", err.text);
    return actuator;
}

void world_make_guest(struct world *world, const char *name, const char *host, enum world_kind kind,
                      const char *volume)
{
    const char *arguments[ARGUMENTS_MAX] = { "guest", name, host };
    size_t count = 3;

    if (volume != NULL) {
        LAB(world, "volume", volume);
        arguments[count++] = "--disk";
        arguments[count++] = volume;
    }
    if (kind == WORLD_DEAF) {
        arguments[count++] = "--kind";
        arguments[count++] = "deaf";
    } else if (kind == WORLD_BUSY) {
        arguments[count++] = "--kind";
        arguments[count++] = "busy";
    } else if (kind == WORLD_OFF) {
        arguments[count++] = "--off";
    } else if (kind == WORLD_TRANSIENT) {
        arguments[count++] = "--transient";
    } else if (kind == WORLD_PAUSED) {
        arguments[count++] = "--paused";
    }
    ck_assert_msg(run(world, arguments) == 0, "lab guest %s failed", name);
    if (kind == WORLD_SAVED) {
        LAB(world, "save", name, host);
    }
}

void world_remove_guest(struct world *world, const char *name)
{
    LAB(world, "remove", name);
}

void world_attach(struct world *world, const char *host, const char *volume)
{
    LAB(world, "attach", host, volume);
}

void world_attach_wrong(struct world *world, const char *host, const char *volume)
{
    LAB(world, "wrongdisk", host, volume);
}

static void append_section(const char *path, const char *section)
{
    FILE *file = fopen(path, "a");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(fprintf(file, "\n%s\n", section), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* What 'lab conf' makes of the shipped profile, and state. */
static const struct profile *read_profile(struct world *world, const char *folder)
{
    const char *conf = text_format(&world->arena, "%s/berth.conf", folder);
    const char *path = text_format(&world->arena, "%s/platform.conf", folder);
    struct faults faults = fault_list(&world->arena);
    const struct profile *profile = NULL;
    struct err err = { 0 };

    LAB(world, "conf", conf);
    append_section(path, "[state]");
    ck_assert_msg(config_profile_read(&world->arena, path, &profile, &faults, &err) == 0, "%s",
                  faults.count > 0 ? faults.items[0].text : err.text);
    (void)unlink(conf);
    (void)unlink(path);
    return profile;
}

const struct profile *world_profile(struct world *world)
{
    char folder[] = "/tmp/berth-world-XXXXXX";

    if (world->profile == NULL) {
        ck_assert_ptr_nonnull(mkdtemp(folder));
        world->profile = read_profile(world, folder);
        (void)rmdir(folder);
    }
    return world->profile;
}

const char *world_volume_name(struct world *world, struct arena *arena, const char *volume)
{
    (void)world;
    return text_format(arena, "ev_%s", volume);
}

void world_make_pool(struct world *world, const char *host, const char *pool)
{
    AUTO(arena) struct arena arena = ARENA_INIT;
    const char *folder = text_format(&arena, "/run/%s", pool);

    LAB(world, "on", host, "mkdir", folder);
    LAB(world, "on", host, "virsh", "-q", "pool-define-as", pool, "dir", "--target", folder);
}

void world_fill_pool(struct world *world, const char *host, const char *pool, const char *volume)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    LAB(world, "on", host, "touch", text_format(&arena, "/run/%s/%s", pool, volume));
}

void world_remove_pool(struct world *world, const char *host, const char *pool)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    LAB(world, "on", host, "virsh", "-q", "pool-destroy", pool);
    LAB(world, "on", host, "virsh", "-q", "pool-undefine", pool);
    LAB(world, "on", host, "rm", "-r", text_format(&arena, "/run/%s", pool));
}

void world_make_state(struct world *world, const char *host, const char *path)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    LAB(world, "on", host, "dd", "if=/dev/urandom", text_format(&arena, "of=%s", path), "bs=1000",
        "count=100", "status=none");
}

void world_remove_state(struct world *world, const char *host, const char *path)
{
    LAB(world, "on", host, "sh", "-c", "rm -f -- \"$1\"*", "sh", path);
}

void world_make_neighbour(struct world *world, const char *name, const char *host,
                          enum supply_kind kind, const char *what)
{
    static const char *const options[SUPPLY_KIND_COUNT] = {
        [SUPPLY_BRIDGE] = "--bridge",
        [SUPPLY_NAT_BRIDGE] = "--nat",
        [SUPPLY_INTERFACE] = "--interface",
    };

    LAB(world, "guest", name, host, "--off", options[kind], what);
}

void world_start(struct world *world, const char *name, const char *host)
{
    LAB(world, "on", host, "virsh", "-q", "start", name);
}

void world_stop(struct world *world, const char *name, const char *host)
{
    LAB(world, "on", host, "virsh", "-q", "destroy", name);
}

void world_migrate(struct world *world, const char *name, const char *from, const char *to)
{
    AUTO(arena) struct arena arena = ARENA_INIT;

    LAB(world, "on", from, "virsh", "-q", "migrate", "--live", "--p2p", "--persistent",
        "--undefinesource", name, text_format(&arena, "qemu+tcp://%s/system", to));
}

/* The host's init starts it again. */
void world_restart(struct world *world, const char *host)
{
    LAB(world, "on", host, "sh", "-c", "kill -KILL $(cat /run/libvirt/libvirtd.pid)");
}

void world_freeze(struct world *world, const char *host)
{
    LAB(world, "freeze", host);
}

void world_thaw(struct world *world, const char *host)
{
    LAB(world, "thaw", host);
}

void world_crash(struct world *world, const char *host)
{
    LAB(world, "crash", host);
}

void world_boot(struct world *world, const char *host)
{
    LAB(world, "boot", host);
}

void world_slow(struct world *world, const char *host, bool slow)
{
    LAB(world, "rate", host, slow ? SLOW_MBIT : "0");
}

void world_narrow(struct world *world, const char *host)
{
    LAB(world, "rate", host, NARROW_MBIT);
}
