# Package lists of our own, beside the machine's. Sourced by lib.sh.
# shellcheck shell=bash
#
# The machine's apt configuration must be the same after us as before us, and
# a list of somebody else that fails to update must not stop us. So we work on
# a scratch folder: a source list made from the machine's own Debian entries
# (mirror, options and signing key are taken over, other repositories are
# not), plus the backports suite at the same mirror, and apt state that lives
# beside it. apt only ever installs packages from there into the system.
#
# Works as any user; only the installation itself needs root.

# gw_apt_codename: the release of the machine, such as bookworm.
gw_apt_codename()
{
    # shellcheck source=/dev/null
    (. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:-}")
}

# apt's options that point it to the scratch folder $1, one per line.
gw_apt_options()
{
    printf '%s\n' \
        -o "Dir::Etc::sourcelist=$1/sources.list" \
        -o "Dir::Etc::sourceparts=$1/sources.list.d" \
        -o "Dir::State::lists=$1/lists" \
        -o "Dir::Cache=$1/cache" \
        -o "Dir::Cache::archives=$1/cache/archives" \
        -o "APT::Update::Pre-Invoke=" \
        -o "APT::Update::Post-Invoke=" \
        -o "APT::Update::Post-Invoke-Success=" \
        -o "Acquire::Retries=3" \
        -o "Acquire::Languages=none" \
        -o "APT::Get::List-Cleanup=false"
}

# gw_apt_get SCRATCH ARGUMENT…: apt-get on the lists of the scratch folder.
gw_apt_get()
{
    local scratch=$1 options

    shift
    mapfile -t options < <(gw_apt_options "$scratch")
    DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" "$@"
}

gw_apt_cache()
{
    local scratch=$1 options

    shift
    mapfile -t options < <(gw_apt_options "$scratch")
    apt-cache "${options[@]}" "$@"
}

# gw_apt_install SCRATCH ARGUMENT…: apt-get install as root, asking nothing.
gw_apt_install()
{
    local scratch=$1 options

    shift
    mapfile -t options < <(gw_apt_options "$scratch")
    gw_as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get "${options[@]}" -o DPkg::Lock::Timeout=600 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        -q -y --no-install-recommends install "$@"
}

# Entries of the form "deb [options] URI SUITE COMPONENT…" on standard input.
# $1 is the release; $2 is own (entries of this release, as they are) or
# backports (the same mirrors, with the backports suite instead).
gw_apt_oneline_filter()
{
    awk -v release="$1" -v mode="$2" '
    BEGIN {
        own[release]; own[release "-updates"]; own[release "-security"]
        own[release "/updates"]
    }
    $1 == "deb" {
        sub(/#.*/, "")
        line = $0
        options = ""
        if (match(line, /\[[^]]*\]/)) {
            options = substr(line, RSTART, RLENGTH) " "
            line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
        }
        n = split(line, word)
        if (!(word[3] in own) || word[2] ~ /^cdrom:/)
            next
        if (mode == "own") {
            print "deb " options word[2], word[3], rest(4)
        } else if (word[3] == release && (" " rest(4) " ") ~ / main /) {
            print "deb " options word[2], release "-backports main"
        }
    }
    function rest(from,   i, text) {
        for (i = from; i <= n; i++)
            text = text (i > from ? " " : "") word[i]
        return text
    }'
}

# The same for stanzas of the deb822 form. Every field but Types, Suites,
# Components and Enabled is carried over as it stands (keys may be in there).
gw_apt_deb822_filter()
{
    awk -v release="$1" -v mode="$2" '
    BEGIN {
        own[release]; own[release "-updates"]; own[release "-security"]
        own[release "/updates"]
    }
    /^#/ { next }
    /^[ \t]*$/ { flush_stanza(); next }
    /^[ \t]/ { if (name != "") field[name] = field[name] "\n" $0; next }
    {
        at = index($0, ":")
        name = tolower(substr($0, 1, at - 1))
        if (!(name in field))
            order[++n_fields] = name
        field[name] = substr($0, at + 1)
    }
    END { flush_stanza() }

    function flush_stanza(   i) {
        if (n_fields > 0 && usable())
            print_stanza()
        for (i in field)
            delete field[i]
        n_fields = 0
        name = ""
    }
    function has(list, wanted,   words, i, n) {
        n = split(list, words)
        for (i = 1; i <= n; i++)
            if (words[i] == wanted)
                return 1
        return 0
    }
    function usable() {
        if (tolower(field["enabled"]) ~ /no|false|0/ ||
            !has(field["types"], "deb"))
            return 0
        suites = wanted_suites()
        return suites != ""
    }
    function wanted_suites(   words, i, n, text) {
        if (mode == "backports")
            return has(field["suites"], release) &&
                   has(field["components"], "main") ? release "-backports" : ""
        n = split(field["suites"], words)
        for (i = 1; i <= n; i++)
            if (words[i] in own)
                text = text " " words[i]
        return text
    }
    function print_stanza(   i) {
        print "Types: deb"
        print "Suites: " suites
        print "Components: " \
              (mode == "backports" ? "main" : field["components"])
        for (i = 1; i <= n_fields; i++)
            if (order[i] !~ /^(types|suites|components|enabled)$/)
                print order[i] ":" field[order[i]]
        print ""
    }'
}

# gw_apt_sources_write SCRATCH RELEASE MODE: adds to the scratch folder's list.
gw_apt_sources_write()
{
    local scratch=$1 release=$2 mode=$3 list parts file

    eval "$(apt-config shell list Dir::Etc::sourcelist/f \
        parts Dir::Etc::sourceparts/d)"
    for file in "$list" "${parts%/}"/*.list; do
        if [ -r "$file" ]; then
            gw_apt_oneline_filter "$release" "$mode" <"$file"
        fi
    done >"$scratch/sources.list.d/$mode.list"
    for file in "${parts%/}"/*.sources; do
        if [ -r "$file" ]; then
            gw_apt_deb822_filter "$release" "$mode" <"$file"
            echo
        fi
    done >"$scratch/sources.list.d/$mode.sources"
}

# gw_apt_scratch_new SCRATCH [backports]: fills the (empty) folder and fetches
# the lists. Entries that fail are apt's warnings, in SCRATCH/update.log; what
# then cannot be installed is reported by who wants to install it.
gw_apt_scratch_new()
{
    local scratch=$1 backports=${2:-} release

    release=$(gw_apt_codename)
    [ -n "$release" ] || gw_die "/etc/os-release names no VERSION_CODENAME"
    mkdir -p "$scratch/sources.list.d" "$scratch/lists/partial" \
        "$scratch/cache/archives/partial"
    : >"$scratch/sources.list"
    gw_apt_sources_write "$scratch" "$release" own
    [ -s "$scratch/sources.list.d/own.list" ] ||
        grep -q . "$scratch/sources.list.d/own.sources" ||
        gw_die "the machine's apt sources have no entry for $release"
    if [ -n "$backports" ]; then
        gw_apt_sources_write "$scratch" "$release" backports
    fi
    if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
        chown -R _apt "$scratch/lists" "$scratch/cache"
    fi
    gw_apt_get "$scratch" -q update >"$scratch/update.log" 2>&1 || true
}

# gw_apt_candidate SCRATCH PACKAGE: the version that would be installed.
gw_apt_candidate()
{
    gw_apt_cache "$1" policy "$2" |
        sed -n 's/^ *Candidate: \(.*\)$/\1/p' | grep -v '^(none)$' || true
}
