# shellcheck shell=bash
#
# Completion of godwit for bash. Needs nothing of the package bash-completion.
#
# Commands, options, and the words that an option is written with in the help
# (on|off) are read from the program's own --help, so they are those of the
# program that will run. Here stands only what the help has no room for.

# Lists of the library, which no --help has.
_godwit_capabilities='xbzrle rdma-pin-all auto-converge zero-blocks events
    postcopy-ram x-colo release-ram return-path pause-before-switchover multifd
    dirty-bitmaps postcopy-blocktime late-block-activate x-ignore-shared validate-uuid
    background-snapshot zero-copy-send postcopy-preempt switchover-ack
    dirty-limit mapped-ram'
_godwit_parameters='announce-initial announce-max announce-rounds announce-step
    throttle-trigger-threshold cpu-throttle-initial cpu-throttle-increment
    cpu-throttle-tailslow max-cpu-throttle tls-creds tls-hostname tls-authz
    max-bandwidth avail-switchover-bandwidth downtime-limit x-checkpoint-delay
    multifd-channels multifd-compression multifd-zlib-level multifd-zstd-level
    multifd-qatzip-level xbzrle-cache-size max-postcopy-bandwidth
    x-vcpu-dirty-limit-period vcpu-dirty-limit mode zero-page-detection
    direct-io'
_godwit_uris='file: unix: tcp: fd:'

_godwit_help()
{
    "${_godwit_program/#\~/$HOME}" "$@" --help 2>/dev/null
}

# Commands of the program.
_godwit_commands()
{
    _godwit_help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# The lines of a command's help that explain an option: its names, and what
# its value looks like after a single space.
_godwit_option_lines()
{
    _godwit_help "$1" | grep -E '^  --?[a-zA-Z]'
}

_godwit_options()
{
    _godwit_option_lines "$1" |
        sed -E 's/^  ((-[^ ]+, )?-[^ ]+).*/\1/; s/,//'
}

# What the values of option $2 of command $1 look like, one a line. One dash
# does as well as two; nothing is printed for an option without a value.
_godwit_value_forms()
{
    local name=${2#-}

    _godwit_option_lines "$1" | sed -nE \
        "s/^  (-[^ ]+, )?--?${name#-} ([^ ]+) .*/\2/p
         s/^  --?${name#-}, -[^ ]+ ([^ ]+) .*/\1/p"
}

# Monitor commands that the help of ctl names.
_godwit_monitor_commands()
{
    _godwit_help ctl | sed -nE 's/^  ([a-z_]+,? .*|[a-z_]+)$/\1/p' |
        sed -E '/^[a-z_]+,/!s/ .*//; s/,//g' | sort -u
}

_godwit_migrate_options()
{
    _godwit_help ctl | grep '^  migrate ' | sed 's/   .*//' |
        grep -oE -- '--?[a-z][a-z-]*'
}

_godwit_info_subjects()
{
    _godwit_help ctl | sed -n 's/^  info \([^ ]*\).*/\1/p' | tr '|' ' '
}

# Offers the words $2 for what follows $1, which stands there already.
_godwit_words()
{
    local head=$1 word

    for word in $2; do
        if [[ $head$word == "$_godwit_cur"* ]]; then
            COMPREPLY+=("$head$word")
        fi
    done
}

# Offers files for what follows $1.
_godwit_files()
{
    local head=$1 path=${_godwit_cur#"$1"} name

    path=${path#[\"\']}
    path=${path//\\/}
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do
        COMPREPLY+=("$head$name")
    done < <(compgen -f -- "$path")
}

# A comma-separated value after $1: the first words are $2, later ones $3.
_godwit_list()
{
    local rest=${_godwit_cur#"$1"}

    if [[ $rest == *,* ]]; then
        _godwit_words "$1${rest%,*}," "$3"
    else
        _godwit_words "$1" "$2"
    fi
}

# Keys of a list that may have a path behind one of them.
_godwit_keys()
{
    local rest=${_godwit_cur#"$1"} item

    item=${rest##*,}
    case $item in
    file=* | path=*)
        _godwit_files "${_godwit_cur%"${item#*=}"}"
        ;;
    *)
        _godwit_list "$1" "$2" "$3"
        ;;
    esac
}

# An address after $1, or one of the words $2.
_godwit_address()
{
    case ${_godwit_cur#"$1"} in
    file:* | unix:*)
        _godwit_files "${_godwit_cur%%:*}:"
        ;;
    *)
        _godwit_words "$1" "$2"
        ;;
    esac
}

# Values whose help has no room for all words; option $2 of command $1, $3
# stands before them.
_godwit_value()
{
    local name=${2#-} disk net

    disk='readonly=on readonly=off direct=on direct=off queues= serial=
        aio=auto aio=io_uring aio=threads slot='
    net='ifname= fd= vnet_hdr=on vnet_hdr=off mac= slot= path='
    case ${name#-} in
    kernel | initrd | bios | mem-path) _godwit_files "$3" ;;
    serial) _godwit_address "$3" 'stdio none file: unix:' ;;
    qmp | monitor) _godwit_address "$3" 'stdio unix:' ;;
    virtio-console) _godwit_address "$3" 'none file: unix:' ;;
    incoming) _godwit_address "$3" "defer $_godwit_uris" ;;
    accel) _godwit_list "$3" 'auto thread kvm' 'dirty-ring-size=' ;;
    M | machine)
        _godwit_list "$3" microvm 'acpi=on acpi=off pic=on pic=off
            pit=on pit=off rtc=on rtc=off'
        ;;
    cpu) _godwit_words "$3" host ;;
    firmware-size) _godwit_words "$3" '0 64K 128K' ;;
    action) _godwit_words "$3" 'reboot=reset reboot=shutdown' ;;
    disk) _godwit_keys "$3" 'file=' "$disk" ;;
    net) _godwit_keys "$3" 'tap passt' "$net" ;;
    vsock) _godwit_keys "$3" 'cid= path=' 'cid= path= slot=' ;;
    add-fd) _godwit_list "$3" 'fd=' 'set= opaque=' ;;
    *)
        # Small letters are words to be typed, capitals stand for something.
        name=$(_godwit_value_forms "$1" "$2" | grep -vE '[A-Z]' | tr '|' '\n')
        _godwit_words "$3" "$name"
        ;;
    esac
}

# Options and files of every command but ctl.
_godwit_arguments()
{
    local command=$1 previous=$2

    if [[ $_godwit_cur == -*=* ]]; then
        _godwit_value "$command" "${_godwit_cur%%=*}" "${_godwit_cur%%=*}="
    elif [[ $previous == -* && $previous != *=* &&
        -n $(_godwit_value_forms "$command" "$previous") ]]; then
        _godwit_value "$command" "$previous" ''
    elif [[ $_godwit_cur == -* || $command == run ]]; then
        _godwit_words '' "$(_godwit_options "$command")"
    elif [[ $command == compat ]]; then
        _godwit_address '' 'file: unix:'
        _godwit_files ''
    else
        _godwit_files ''
    fi
}

# Words of a monitor's command: what stands before, without the socket.
_godwit_monitor()
{
    local previous=${!#}

    case $1 in
    migrate)
        if [[ $previous == --with ]]; then
            _godwit_files ''
        elif [[ $_godwit_cur == -* ]]; then
            _godwit_words '' "$(_godwit_migrate_options)"
        else
            _godwit_address '' "$_godwit_uris"
        fi
        ;;
    migrate_incoming) _godwit_address '' "$_godwit_uris" ;;
    migrate_set_capability)
        if (($# == 1)); then
            _godwit_words '' "$_godwit_capabilities"
        elif (($# == 2)); then
            _godwit_words '' 'on off'
        fi
        ;;
    migrate_set_parameter)
        if (($# == 1)); then
            _godwit_words '' "$_godwit_parameters"
        elif [[ $previous == direct-io || $previous == *tailslow ]]; then
            _godwit_words '' 'on off'
        fi
        ;;
    info) _godwit_words '' "$(_godwit_info_subjects)" ;;
    '' | help) _godwit_words '' "$(_godwit_monitor_commands) help" ;;
    esac
}

_godwit_ctl()
{
    while [[ ${1-} == -* ]]; do
        shift
    done
    if (($# > 0)); then
        _godwit_monitor "${@:2}"
    elif [[ $_godwit_cur == -* ]]; then
        _godwit_words '' "$(_godwit_options ctl)"
    else
        _godwit_address '' unix:
        _godwit_files ''
    fi
}

# Readline cuts words at = and : as well; joins what no space separates.
# The last one, which is under the cursor, is _godwit_cur.
_godwit_join()
{
    local line=${COMP_LINE:0:COMP_POINT} i word

    _godwit_before=()
    _godwit_cur=
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i -gt 0 && $line == [[:space:]]* ]]; then
            _godwit_before+=("$_godwit_cur")
            _godwit_cur=
        fi
        line=${line#"${line%%[![:space:]]*}"}
        if ((${#word} > ${#line})); then
            word=$line
        fi
        _godwit_cur+=$word
        line=${line:${#word}}
    done
}

# Takes from the replies what readline holds for words of their own.
_godwit_cut()
{
    local head='' i

    for ((i = 0; i < ${#_godwit_cur}; i++)); do
        case ${_godwit_cur:i:1} in
        = | :)
            if [[ $COMP_WORDBREAKS == *"${_godwit_cur:i:1}"* ]]; then
                head=${_godwit_cur:0:i+1}
            fi
            ;;
        esac
    done
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$head"}
    done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

_godwit()
{
    local _godwit_program=$1 _godwit_cur
    local -a _godwit_before

    COMPREPLY=()
    _godwit_join
    if ((${#_godwit_before[@]} == 1)); then
        _godwit_words '' "$(_godwit_commands) --help --version"
    elif [[ ${_godwit_before[1]} == help ]]; then
        _godwit_words '' "$(_godwit_commands)"
    elif [[ ${_godwit_before[1]} == ctl ]]; then
        _godwit_ctl "${_godwit_before[@]:2}"
    else
        _godwit_arguments "${_godwit_before[1]}" "${_godwit_before[-1]}"
    fi
    _godwit_cut
}

complete -F _godwit godwit
