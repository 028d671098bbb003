/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_disk.h"

#include <string.h>

#include "actuators/ssh.h"
#include "actuators/ssh_command.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"

#define TIMEOUT_MS INT64_C(20000)
#define MARK       "berth-answer "

/* Runs on hosts under any POSIX shell; only reads.  What an identity is made of:
 *
 *   block device    the WWID that the device itself reports (SCSI, NVMe, multipath).  QEMU's emulated
 *                   drives all report the same serial numbers, so they have none.
 *   LVM and others  the device mapper's UUID and the identity of every device below: a volume group
 *                   cloned with its host has the same UUIDs on other disks.
 *   partition       its disk, start and size.
 *   RBD             cluster, pool and image.
 *   loop device     the file behind it, offset and size limit.
 *   file            of a network file system: server, export and inode.  Of a cluster file system: the
 *                   device's identity and inode.  Any other file system can only be mounted by one
 *                   kernel, whatever UUIDs a cloned one repeats: so the running kernel's boot id, device
 *                   and inode; two hosts that share it are containers on one kernel.
 *
 * Every function runs in a subshell of its own ('$()'), so that 'cd' and variables stay inside.  Programs are
 * started as seldom as can be: on a busy host each one takes longer than the way there. */
static const char script_body[] =
    "LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
    "export LC_ALL PATH\n"
    "unset CDPATH\n"
    "exec 2>/dev/null\n"
    "file_id() {\n"
    "    numbers=$(stat -L -c '%d %i' -- \"$1\") || return 1\n"
    "    mount=$(findmnt -n -r -v -o FSTYPE,SOURCE -T \"$1\") || return 1\n"
    "    device=${numbers% *} inode=${numbers#* } from=${mount#* }\n"
    "    case ${mount%% *} in\n"
    "    nfs|nfs4|ceph|cifs|smb3|glusterfs|fuse.glusterfs|lustre|beegfs)\n"
    "        case $from in\n"
    "        localhost*|127.*|'[::1]'*|//localhost*|//127.*) return 1 ;;\n"
    "        esac\n"
    "        echo \"network:$from:$inode\" ;;\n"
    "    gfs2|ocfs2)\n"
    "        device=$(device_id \"$from\") || return 1\n"
    "        echo \"cluster:$device:$inode\" ;;\n"
    "    *)\n"
    "        IFS= read -r boot </proc/sys/kernel/random/boot_id || return 1\n"
    "        echo \"local:$boot:$device:$inode\" ;;\n"
    "    esac\n"
    "}\n"
    "sys_id() {\n"
    "    cd -P \"$1\" || return 1\n"
    "    if [ -r partition ]; then\n"
    "        disk=$(sys_id ..) || return 1\n"
    "        IFS= read -r start <start && IFS= read -r size <size || return 1\n"
    "        echo \"partition:$disk:$start:$size\"\n"
    "    elif [ -r loop/backing_file ]; then\n"
    "        IFS= read -r path <loop/backing_file\n"
    "        file=$(file_id \"$path\") || return 1\n"
    "        IFS= read -r offset <loop/offset && IFS= read -r limit <loop/sizelimit || return 1\n"
    "        echo \"loop:$file:$offset:$limit\"\n"
    "    elif [ -r dm/uuid ]; then\n"
    "        IFS= read -r id <dm/uuid\n"
    "        case $id in\n"
    "        '') return 1 ;;\n"
    "        mpath-*) echo \"dm:$id\"; return 0 ;;\n"
    "        esac\n"
    "        for slave in slaves/*; do\n"
    "            below=$(sys_id \"$slave\") || return 1\n"
    "            id=$id+$below\n"
    "        done\n"
    "        echo \"dm:$id\"\n"
    "    elif [ -r device/cluster_fsid ]; then\n"
    "        IFS= read -r cluster <device/cluster_fsid && IFS= read -r pool <device/pool_id &&\n"
    "            IFS= read -r image <device/image_id || return 1\n"
    "        echo \"rbd:$cluster:$pool:$image\"\n"
    "    else\n"
    "        for file in wwid device/wwid; do\n"
    "            id=\n"
    "            [ -r \"$file\" ] && IFS= read -r id <\"$file\"\n"
    "            case $id in\n"
    "            ''|*QEMU*) ;;\n"
    "            *) echo \"wwid:$id\"; return 0 ;;\n"
    "            esac\n"
    "        done\n"
    "        return 1\n"
    "    fi\n"
    "}\n"
    "device_id() {\n"
    "    numbers=$(stat -L -c '%t %T' -- \"$1\") || return 1\n"
    "    sys_id \"/sys/dev/block/$((0x${numbers% *})):$((0x${numbers#* }))\"\n"
    "}\n"
    "identity() {\n"
    "    if [ -b \"$1\" ]; then device_id \"$1\"\n"
    "    elif [ -f \"$1\" ] || [ -d \"$1\" ]; then file_id \"$1\"\n"
    "    else return 1\n"
    "    fi\n"
    "}\n"
    "while [ $# -gt 1 ]; do\n"
    "    answer=missing\n"
    "    case $1 in\n"
    "    identity)\n"
    "        if id=$(identity \"$2\") && [ -n \"$id\" ]; then answer=\"known $id\"\n"
    "        elif [ -e \"$2\" ]; then answer=present\n"
    "        fi ;;\n"
    "    exists) [ -e \"$2\" ] && answer=present ;;\n"
    "    bridge)\n"
    "        if [ -d \"/sys/class/net/$2/bridge\" ] || ovs-vsctl --timeout=5 br-exists \"$2\"; then\n"
    "            answer=present\n"
    "        fi ;;\n"
    "    esac\n"
    "    printf '" MARK "%s\\n' \"$answer\"\n"
    "    shift 2\n"
    "done\n";

static const char *const question_words[] = {
    [LIBVIRT_DISK_IDENTITY] = "identity",
    [LIBVIRT_DISK_EXISTS] = "exists",
    [LIBVIRT_DISK_BRIDGE] = "bridge",
};

static bool is_plain(const char *name)
{
    size_t length = strnlen(name, LIBVIRT_DISK_MAX_BYTES + 1);

    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == '\x7f') {
            return false;
        }
    }
    return length > 0 && length <= LIBVIRT_DISK_MAX_BYTES;
}

/* A path that does not begin with '/' could be taken for an option, and a bridge's name for a path. */
static bool is_askable(const struct libvirt_disk_item *item)
{
    bool bridge = item->question == LIBVIRT_DISK_BRIDGE;

    return is_plain(item->name) &&
           (bridge ? strchr(item->name, '/') == NULL && item->name[0] != '-' && item->name[0] != '.'
                   : item->name[0] == '/');
}

int libvirt_disk_script(struct arena *arena, const struct libvirt_disk_item *items, size_t count,
                        const char **script, struct err *err)
{
    struct text text = text_new(arena);

    text_append(&text, "set --");
    for (size_t i = 0; i < count; i++) {
        if (!is_askable(&items[i])) {
            return err_set(err, ERR_INVALID,
                           "cannot ask hosts about '%.100s': not a plain absolute path or name",
                           items[i].name);
        }
        text_printf(&text, " %s %s", question_words[items[i].question],
                    ssh_command_quote(arena, items[i].name));
    }
    text_append(&text, "\n");
    text_append(&text, script_body);
    *script = text.data;
    return 0;
}

/* Reads "missing", "present" or "known IDENTITY". */
static bool read_answer(const char *line, struct libvirt_disk_item *item)
{
    const char *known = "known ";

    item->identity = NULL;
    if (strcmp(line, "missing") == 0) {
        item->answer = LIBVIRT_DISK_MISSING;
    } else if (strcmp(line, "present") == 0) {
        item->answer = LIBVIRT_DISK_PRESENT;
    } else if (strncmp(line, known, strlen(known)) == 0 && is_plain(line + strlen(known)) &&
               item->question == LIBVIRT_DISK_IDENTITY) {
        item->answer = LIBVIRT_DISK_KNOWN;
        item->identity = line + strlen(known);
    } else {
        return false;
    }
    return true;
}

int libvirt_disk_read(struct arena *arena, const char *output, const char *host,
                      struct libvirt_disk_item *items, size_t count, struct err *err)
{
    size_t read = 0;

    while (*output != '\0') {
        size_t length = strcspn(output, "\n");
        const char *line = text_copy(arena, output, length);

        output += length + (output[length] == '\n' ? 1 : 0);
        if (strncmp(line, MARK, strlen(MARK)) != 0) {
            continue; /* What a login script has to say. */
        }
        if (read == count || !read_answer(line + strlen(MARK), &items[read++])) {
            return err_set(err, ERR_FAILED, "cannot read what '%s' says of its storage: '%.80s'",
                           host, line);
        }
    }
    return read == count ? 0
                         : err_set(err, ERR_FAILED,
                                   "cannot read what '%s' says of its storage: %zu of %zu answers",
                                   host, read, count);
}

int libvirt_disk_ask(struct arena *arena, const struct libvirt_disk_host *host,
                     struct libvirt_disk_item *items, size_t count, struct err *err)
{
    const char *const argv[] = { "sh", "-s", NULL };
    struct ssh_call call = {
        .argv = argv,
        .timeout_ms = TIMEOUT_MS,
        .max_output = (count + 1) * (LIBVIRT_DISK_MAX_BYTES + 64),
    };
    struct ssh_output output = { 0 };

    if (libvirt_disk_script(arena, items, count, &call.input, err) < 0 ||
        ssh_run(host->ssh, arena, host->address, &call, &output, err) < 0 ||
        ssh_check(arena, host->address, "ask for storage", &output, err) < 0) {
        return -1;
    }
    return libvirt_disk_read(arena, output.out, host->name, items, count, err);
}
