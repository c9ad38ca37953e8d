# What every script of the drill begins with: the call is written down, and fails where the drill was asked to.
# Sourced with the script's own name as its argument list: . prologue.sh
set -eu

drill=${HOTFIX_DRILL_DIR:?the scripts of the drill run inside the drill}
name=${0##*/}
printf '%s\n' "$name${*:+ $*}" >>"$drill/calls.log"

fail=${HOTFIX_DRILL_FAIL:-}
if [ -n "$fail" ]; then
    # Inside a group, a step has the number of its repetition behind it.
    step=$(printf '%s' "${HOTFIX_STAGE:-}/${HOTFIX_STEP:-}" | sed 's/\.[0-9]*//g')
    # On the way back only the rollback stage may be made to fail: an undo has the name of the step it undoes.
    case ${HOTFIX_ROLLBACK:-}/$step in
    1/rollback/*) ;;
    1/*) fail= ;;
    esac
    if [ -n "$fail" ] && { [ "$fail" = "$step" ] || [ "$fail" = "${HOTFIX_STEP:-}" ]; }; then
        echo "$name: made to fail by the drill ($fail)" >&2
        exit 1
    fi
fi

# The three instances that serve production unless traffic is on blue.
fleet='green-1 green-2 green-3'

get() { "$HOTFIX_DRILL_EXE" drill-get "$@"; }
post() { "$HOTFIX_DRILL_EXE" drill-post "$@"; }
url() { echo "http://127.0.0.1:$(cat "$drill/servers/$1/port")"; }

die() {
    echo "$name: $*" >&2
    exit 1
}

# Gives a value to the run that drives this script, if one does.
output() {
    echo "$1"
    [ -z "${HOTFIX_OUTPUT:-}" ] || echo "$1" >>"$HOTFIX_OUTPUT"
}

# Writes standard input to a file that readers see either as it was or whole.
replace() {
    cat >"$1.$$"
    mv -f "$1.$$" "$1"
}

# deploy TAG SERVER: takes the tag from the remote, as a build server would, and lets the server serve it.
deploy() {
    git --git-dir="$drill/origin.git" rev-parse --verify --quiet "refs/tags/$1" >/dev/null ||
        die "the remote has no tag $1: push it first"
    release=$drill/releases/$1.$2.$$
    rm -rf "$release"
    mkdir -p "$release"
    (
        cd "$release"
        export GIT_INDEX_FILE="$release.index"
        git --git-dir="$drill/origin.git" --work-tree="$release" read-tree "$1"
        git --git-dir="$drill/origin.git" --work-tree="$release" checkout-index --all --force
    )
    rm -f "$release.index"
    printf '%s\n%s\n' "$1" "$release" | replace "$drill/servers/$2/release"
    get --wait 10 "$(url "$2")/health" >/dev/null
    echo "$2 serves $1"
}

# traffic SERVER...: what users of production reach from now on.
traffic() {
    for server in "$@"; do echo "$server"; done | replace "$drill/servers/production/backends"
    echo "production traffic goes to: $*"
}

backends() { cat "$drill/servers/production/backends"; }

# healthy SERVER [TAG]: the server says that it is well, and that it serves the tag.
healthy() {
    health=$(get --wait 10 "$(url "$1")/health")
    echo "$1: $health"
    case $health in *'"status":"ok"'*) ;; *) die "$1 is not healthy" ;; esac
    [ -z "${2:-}" ] || case $health in *"\"version\":\"$2\""*) ;; *) die "$1 does not serve $2" ;; esac
}

# login SERVER_URL_AND_PATH EMAIL PASSWORD: the status a login ends with.
login() { post --status "$1" "{\"email\":\"$2\",\"password\":\"$3\"}"; }

# expect_login STATUS URL EMAIL PASSWORD WHAT
expect_login() {
    got=$(login "$2" "$3" "$4")
    [ "$got" = "$1" ] || die "$5: expected $1, got $got"
    echo "$5: $got"
}

email=test@example.com
password=$(cat "$drill/password")

# The lines of a file with commas between them.
listed() { paste -s -d , - <"$1"; }

# The next servers of a rolling deployment, as many as a batch has. They are named before anything of them changes.
next_batch() {
    tag=$(cat "$drill/rolling/tag")
    head -n "$(cat "$drill/rolling/size")" "$drill/rolling/waiting" >"$drill/rolling/batch"
    output "hosts=$(listed "$drill/rolling/batch")"
    while read -r server; do
        deploy "$tag" "$server" </dev/null
        # The batch that the drill was asked to make bad: its login check ends as no login check does.
        [ "$fail:$name" != batch:deploy-next-batch.sh ] || echo 'exit 70' >"$release/app/login.sh"
        echo "$server" >>"$drill/rolling/done"
    done <"$drill/rolling/batch"
    grep -vxF -f "$drill/rolling/done" "$drill/rolling/waiting" | replace "$drill/rolling/waiting" || :
    output "waiting=$(listed "$drill/rolling/waiting")"
    output "remaining=$(grep -c . "$drill/rolling/waiting" || :)"
}
