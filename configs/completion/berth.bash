# SPDX-License-Identifier: Apache-2.0
# Completion of berth(1) and berthd(8) for bash.  Needs nothing but bash and coreutils.
#
# Names of guests come out of es.xml, no host is asked: 'berth diff' compares the file with a fleet in
# which nothing was seen.  They are matched and copied, never expanded: 'compgen -W' would run what a
# name says.

_berth_options() { # COMMAND
    case $1 in
        validate) echo --schema ;;
        observe) printf '%s\n' -o --out ;;
        diff) printf '%s\n' --es --observed --exit-code ;;
        plan) printf '%s\n' --es --observed --dot --exit-code --checks --all ;;
        apply) printf '%s\n' --dry-run -y --yes --only ;;
        migrate) printf '%s\n' --to --mode --source-is-dead --step --timeout --dry-run -y --yes ;;
        evacuate) printf '%s\n' --source-is-dead --dry-run -y --yes ;;
        drain) printf '%s\n' --partial --dry-run -y --yes ;;
        undrain | rollback) printf '%s\n' --dry-run -y --yes ;;
        history) printf '%s\n' -n --limit --revisions ;;
        explain) printf '%s\n' --es --observed ;;
        hold) printf '%s\n' -r --reason --guest --host ;;
        release) printf '%s\n' --guest --host ;;
    esac
    printf '%s\n' -c --config --json -h --help
}

# What stands behind an option, or as the argument of a command: 'guest', 'file', 'mode', 'step', 'number',
# 'other', or nothing.
_berth_expects() { # COMMAND OPTION|argument
    case $1:$2 in
        migrate:--mode) echo mode ;;
        migrate:--step) echo step ;;
        migrate:--to | migrate:--timeout | *:--source-is-dead | hold:-r | hold:--reason) echo other ;;
        *:-c | *:--config | *:--es | *:--observed | *:--schema | observe:-o | observe:--out) echo file ;;
        apply:--only | cancel:argument | explain:argument | history:argument | hold:argument | \
            migrate:argument | release:argument | retry:argument | steps:argument) echo guest ;;
        history:-n | history:--limit) echo number ;;
        validate:argument) echo file ;;
    esac
}

# Names of the guests in es.xml, one a line.
_berth_guests() { # PROGRAM [OPTION...]
    timeout 2 "$1" diff "${@:2}" --json --observed - 2>/dev/null \
        <<<'{"format":"berth.observed/1","at":"1970-01-01T00:00:00Z","hosts":[]}' |
        sed -nE 's/^ \{"guest":"([A-Za-z0-9_.-]+)".*/\1/p'
}

# Offers those of the lines on stdin that begin with WORD.
_berth_match() { # WORD
    local line
    while IFS= read -r line; do
        [[ $line != "$1"* ]] || COMPREPLY+=("$line")
    done
}

_berth() { # PROGRAM WORD PREVIOUS: as bash calls it
    local word=$2 command="" option="" expects="" given i
    local -a source=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        given=${COMP_WORDS[i]}
        if [[ $given == = ]]; then
            continue # bash makes three words of '--es=FILE'.
        elif [[ -n $(_berth_expects "$command" "$option") ]]; then
            case $option in
                -c | --config | --es) source+=("$option" "${given/#\~\//$HOME/}") ;;
            esac
            option=""
        elif [[ $given == -* ]]; then
            option=$given
        elif [[ -z $command ]]; then
            command=$given
        else
            expects=nothing # Its argument is there.
        fi
    done
    [[ $word != = ]] || word=""
    given=$(_berth_expects "$command" "$option")
    if [[ -n $given ]]; then
        expects=$given
    elif [[ $command == "" || $command == help ]]; then
        expects="command"
    elif [[ $word == -* ]]; then
        expects=option
    elif [[ -z $expects ]]; then
        expects=$(_berth_expects "$command" argument)
    fi
    case $expects in
        command)
            _berth_match "$word" < <(printf '%s\n' validate discover observe diff plan apply \
                migrate steps drain evacuate undrain rollback status watch history explain cancel hold release retry check)
            [[ -n $command ]] || _berth_match "$word" < <(printf '%s\n' help --help --version)
            ;;
        option) _berth_match "$word" < <(_berth_options "$command") ;;
        guest) _berth_match "$word" < <(_berth_guests "$1" "${source[@]}") ;;
        mode) _berth_match "$word" < <(printf '%s\n' auto live offline offline-force) ;;
        step)
            _berth_match "$word" < <(printf '%s\n' CREATE_BRIDGES CREATE_NAT_BRIDGE_TGT STOP_GUEST \
                DETACH_INTERFACES DETACH_VOLUMES ATTACH_VOLUMES COPY_STATE MIGRATE_GUEST \
                ATTACH_INTERFACES STARTUP_GUEST REMOVE_BRIDGES REMOVE_NAT_BRIDGE_SRC)
            ;;
        file) compopt -o default ;;
    esac
}

_berthd() { # PROGRAM WORD PREVIOUS
    COMPREPLY=()
    case $3 in
        -c | --config | =) compopt -o default ;;
        *) _berth_match "$2" < <(printf '%s\n' -c --config --help --version) ;;
    esac
}

complete -F _berth berth
complete -F _berthd berthd
