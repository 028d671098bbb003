/* SPDX-License-Identifier: Apache-2.0 */
#include "actuators/libvirt_question.h"

#include <string.h>

#include "actuators/ssh.h"
#include "actuators/ssh_command.h"
#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/text.h"

#define TIMEOUT_MS INT64_C(20000)
#define MARK       "berth-answer "
#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS     "0123456789"

/* Runs on hosts under any POSIX shell; only reads, but for the connections that CONNECT opens and closes
 * (bash and timeout do that; a host without them says so).  What an identity is made of:
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
    "setting() {\n"
    "    cd /etc/libvirt || return 1\n"
    "    if [ ! -e qemu.conf ]; then echo present; return; fi\n"
    "    [ -r qemu.conf ] || return 1\n"
    "    blank='[[:blank:]]*'\n"
    "    line=\"^$blank$1$blank=$blank\\\"\\{0,1\\}\\([^\\\"#]*[^\\\"#[:blank:]]\\).*\"\n"
    "    value=$(sed -n \"s/$line/\\1/p\" qemu.conf)\n"
    "    value=${value##*'\n'}\n"
    "    echo \"${value:+known }${value:-present}\"\n"
    "}\n"
    /* The address is a parameter of the inner shell, never a part of its text. */
    "connect() {\n"
    "    text=$(timeout 3 bash -c 'exec 3<>\"/dev/tcp/$0/$1\"' \"${1%:*}\" \"${1##*:}\" 2>&1)\n"
    "    status=$?\n"
    "    text=${text%%'\n'*}\n"
    "    case $status:$text in\n"
    "    0:*) echo " LIBVIRT_QUESTION_OPEN " ;;\n"
    "    124:*) echo " LIBVIRT_QUESTION_SILENT " ;;\n"
    "    126:*|127:*) return 1 ;;\n"
    "    *'Connection refused') echo " LIBVIRT_QUESTION_REFUSED " ;;\n"
    "    *': '*) echo \"${text##*: }\" ;;\n"
    "    *) return 1 ;;\n"
    "    esac\n"
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
    "    setting) answer=$(setting \"$2\") || answer=missing ;;\n"
    "    connect) text=$(connect \"$2\") && answer=\"known $text\" ;;\n"
    "    clock) text=$(date +%s%3N) && answer=\"known $text\" ;;\n"
    "    esac\n"
    "    printf '" MARK "%s\\n' \"$answer\"\n"
    "    shift 2\n"
    "done\n";

static const char *const question_words[] = {
    [LIBVIRT_QUESTION_IDENTITY] = "identity", [LIBVIRT_QUESTION_EXISTS] = "exists",
    [LIBVIRT_QUESTION_BRIDGE] = "bridge",     [LIBVIRT_QUESTION_SETTING] = "setting",
    [LIBVIRT_QUESTION_CONNECT] = "connect",   [LIBVIRT_QUESTION_CLOCK] = "clock",
};

static bool is_plain(const char *name)
{
    size_t length = strnlen(name, LIBVIRT_QUESTION_MAX_BYTES + 1);

    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == '\x7f') {
            return false;
        }
    }
    return length > 0 && length <= LIBVIRT_QUESTION_MAX_BYTES;
}

/* Made of 'allowed' alone, and no option. */
static bool is_word(const char *name, const char *allowed)
{
    return strspn(name, allowed) == strlen(name) && name[0] != '-' && name[0] != '.';
}

/* A path that does not begin with '/' could be taken for an option, a bridge's name for a path, and a
 * setting's for more of the pattern that finds it. */
static bool is_askable(const struct libvirt_question *item)
{
    switch (item->kind) {
    case LIBVIRT_QUESTION_IDENTITY:
    case LIBVIRT_QUESTION_EXISTS:
        return is_plain(item->name) && item->name[0] == '/';
    case LIBVIRT_QUESTION_BRIDGE:
        return is_plain(item->name) && strchr(item->name, '/') == NULL && item->name[0] != '-' &&
               item->name[0] != '.';
    case LIBVIRT_QUESTION_SETTING:
        return is_plain(item->name) && is_word(item->name, LETTERS "_");
    case LIBVIRT_QUESTION_CONNECT:
        return is_plain(item->name) && is_word(item->name, LETTERS DIGITS "-._:%") &&
               strchr(item->name, ':') != NULL;
    case LIBVIRT_QUESTION_CLOCK:
        return item->name == NULL;
    }
    return false;
}

int libvirt_question_script(struct arena *arena, const struct libvirt_question *items, size_t count,
                            const char **script, struct err *err)
{
    struct text text = text_new(arena);

    text_append(&text, "set --");
    for (size_t i = 0; i < count; i++) {
        if (!is_askable(&items[i])) {
            return err_set(err, ERR_INVALID,
                           "cannot ask hosts about '%.100s': not a plain absolute path or name",
                           items[i].name == NULL ? "" : items[i].name);
        }
        text_printf(&text, " %s %s", question_words[items[i].kind],
                    items[i].name == NULL ? "-" : ssh_command_quote(arena, items[i].name));
    }
    text_append(&text, "\n");
    text_append(&text, script_body);
    *script = text.data;
    return 0;
}

/* Reads "missing", "present" or "known IDENTITY". */
static bool read_answer(const char *line, struct libvirt_question *item)
{
    const char *known = "known ";

    item->text = NULL;
    if (strcmp(line, "missing") == 0) {
        item->answer = LIBVIRT_QUESTION_MISSING;
    } else if (strcmp(line, "present") == 0) {
        item->answer = LIBVIRT_QUESTION_PRESENT;
    } else if (strncmp(line, known, strlen(known)) == 0 && is_plain(line + strlen(known)) &&
               item->kind != LIBVIRT_QUESTION_EXISTS && item->kind != LIBVIRT_QUESTION_BRIDGE) {
        item->answer = LIBVIRT_QUESTION_KNOWN;
        item->text = line + strlen(known);
    } else {
        return false;
    }
    return true;
}

int libvirt_question_read(struct arena *arena, const char *output, const char *host,
                          struct libvirt_question *items, size_t count, struct err *err)
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
            return err_set(err, ERR_FAILED, "cannot read what '%s' answers: '%.80s'", host, line);
        }
    }
    return read == count
               ? 0
               : err_set(err, ERR_FAILED, "cannot read what '%s' answers: %zu of %zu answers", host,
                         read, count);
}

int libvirt_question_ask(struct arena *arena, const struct libvirt_question_host *host,
                         struct libvirt_question *items, size_t count, struct err *err)
{
    const char *const argv[] = { "sh", "-s", NULL };
    struct ssh_call call = {
        .argv = argv,
        .timeout_ms = host->timeout_ms != 0 ? host->timeout_ms : TIMEOUT_MS,
        .max_output = (count + 1) * (LIBVIRT_QUESTION_MAX_BYTES + 64),
    };
    struct ssh_output output = { 0 };

    if (libvirt_question_script(arena, items, count, &call.input, err) < 0 ||
        ssh_run(host->ssh, arena, host->address, &call, &output, err) < 0 ||
        ssh_check(arena, host->address, "ask for storage and settings", &output, err) < 0) {
        return -1;
    }
    return libvirt_question_read(arena, output.out, host->name, items, count, err);
}
