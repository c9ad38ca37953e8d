# Tests of the login, run from the top of the repository.
password=$(sed -n 's/^test@example.com://p' app/users)
failures=0
check() {
    wanted=$1
    shift
    got=refused
    sh app/login.sh "$@" && got=accepted
    if [ "$got" = "$wanted" ]; then echo "ok: $1 is $got"; else
        echo "FAILED: $1 is $got, expected $wanted"
        failures=$((failures + 1))
    fi
}
check accepted test@example.com "$password"
check refused test@example.com not-the-password
check refused nobody@example.com "$password"
[ "$failures" = 0 ]
