#!/usr/bin/env bash
# Makes the vectors of ../timestamp.rs anew, in this folder, with OpenSSL 3.0 or later. Keys are thrown away, so a second run
# makes others. What begins with good- verifies, what begins with bad- does not; ../timestamp.rs says why.
#
# `openssl ts` makes no token that is not one, and none of another time: those are made with `openssl cms`.
set -euo pipefail

out=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cd "$work"
export OPENSSL_CONF=$work/openssl.cnf
quiet() { "$@" 2>>"$work/log" || { tail -n 5 "$work/log" >&2; exit 1; }; }

printf 'log.provider.example/2026a\n22\n%s\n' "$(openssl dgst -sha256 -binary <<<'a root' | base64)" >checkpoint

# --- certificates -----------------------------------------------------------------------------------------------------

touch index
echo 'unique_subject = no' >index.attr
cat >openssl.cnf <<'TEXT'
oid_section = oids
[oids]
[req]
distinguished_name = name
string_mask = utf8only
[name]
[ca]
default_ca = any
[any]
dir = .
database = index
new_certs_dir = .
rand_serial = yes
policy = policy
default_md = sha256
unique_subject = no
email_in_dn = no
[policy]
organizationName = optional
commonName = supplied

[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
[root_no_path]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign
[middle]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign
extendedKeyUsage = timeStamping
[middle_not_ca]
basicConstraints = critical, CA:false
[middle_usage]
basicConstraints = critical, CA:true
keyUsage = critical, cRLSign
[middle_purpose]
basicConstraints = critical, CA:true
extendedKeyUsage = serverAuth
[middle_limits]
basicConstraints = critical, CA:true
nameConstraints = critical, permitted;DNS:example
[tsa]
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa_plain]
extendedKeyUsage = critical, timeStamping
[tsa_usage]
keyUsage = critical, keyAgreement
extendedKeyUsage = critical, timeStamping
[tsa_mail]
extendedKeyUsage = critical, emailProtection
[tsa_two]
extendedKeyUsage = critical, timeStamping, emailProtection
[tsa_not_critical]
extendedKeyUsage = timeStamping
[tsa_none]
keyUsage = critical, digitalSignature
[tsa_unknown]
extendedKeyUsage = critical, timeStamping
1.2.3.4 = critical, DER:05:00
TEXT

rsa() { quiet openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" -out "$1.key"; }
ec() { quiet openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$1.key"; }
ed() { quiet openssl genpkey -algorithm ED25519 -out "$1.key"; }

# root NAME EXTENSIONS [DIGEST]: a root for NAME.key, for a long time.
root() {
    quiet openssl req -new -key "$1.key" -subj "/O=Authority of tests/CN=$1" -out "$1.csr"
    quiet openssl ca -batch -selfsign -in "$1.csr" -keyfile "$1.key" -notext -out "$1.pem" -extensions "$2" \
        -startdate 20200101000000Z -enddate 20991231000000Z -md "${3:-sha256}"
    openssl x509 -in "$1.pem" -outform DER -out "$1.der"
}

# issue NAME CA EXTENSIONS [FROM UNTIL [DIGEST [KEY]]]: a certificate for NAME, signed by CA.
issue() {
    quiet openssl req -new -key "${7:-$1}.key" -subj "/O=Authority of tests/CN=$1" -out "$1.csr"
    quiet openssl ca -batch -in "$1.csr" -cert "$2.pem" -keyfile "$2.key" -notext -out "$1.pem" -extensions "$3" \
        -startdate "${4:-20200101000000Z}" -enddate "${5:-20991231000000Z}" -md "${6:-sha256}"
    openssl x509 -in "$1.pem" -outform DER -out "$1.der"
}

rsa root-rsa 2048; root root-rsa root
rsa root-other 2048; root root-other root
ec root-p384 P-384; root root-p384 root sha384
ed root-ed25519; root root-ed25519 root default
rsa root-no-path 2048; root root-no-path root_no_path

rsa middle 4096; issue middle root-rsa middle
ec middle-p256 P-256; issue middle-p256 root-p384 middle "" "" sha384
rsa tsa-2048 2048; issue tsa-2048 root-rsa tsa
rsa tsa-4096 4096; issue tsa-4096 middle tsa "" "" sha512
ec tsa-p256 P-256; issue tsa-p256 root-p384 tsa_plain "" "" sha384
ec tsa-p384 P-384; issue tsa-p384 middle-p256 tsa
rsa tsa-ed25519-root 2048; issue tsa-ed25519-root root-ed25519 tsa "" "" default

# --- tokens by openssl ts ---------------------------------------------------------------------------------------------

# token NAME TSA IMPRINT DIGEST [ESS [CHAIN]]
token() {
    echo 01 >serial
    cat >ts.cnf <<TEXT
[tsa]
default_tsa = one
[one]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500
clock_precision_digits = 0
ess_cert_id_chain = no
ess_cert_id_alg = ${5:-sha256}
TEXT
    quiet openssl ts -query -data checkpoint "-$3" -cert -out query
    local chain=()
    [ -z "${6:-}" ] || chain=(-chain "$6.pem")
    quiet openssl ts -reply -config ts.cnf -queryfile query -signer "$2.pem" -inkey "$2.key" "-$4" "${chain[@]}" \
        -token_out -out "$1.tst"
}

token good-rsa-2048 tsa-2048 sha256 sha256
token good-rsa-2048-sha1-id tsa-2048 sha256 sha256 sha1
token good-rsa-4096 tsa-4096 sha512 sha512 sha512 middle
token good-p256 tsa-p256 sha256 sha256
token good-p384 tsa-p384 sha384 sha384 sha256 middle-p256
token good-p384-sha256 tsa-p384 sha256 sha256 sha256 middle-p256
token good-ed25519-root tsa-ed25519-root sha256 sha256
token bad-no-middle tsa-4096 sha256 sha256
token bad-sha1-signature tsa-2048 sha256 sha1

# --- tokens by openssl cms, of any time and kind ------------------------------------------------------------------------

# info TIME [DIGEST [MORE...]]: what is stamped; further lines are fields.
info() {
    local time=$1 digest=${2:-sha256}
    shift; shift || true
    {
        printf 'asn1 = SEQUENCE:info\n[info]\nversion = INTEGER:1\npolicy = OID:1.2.3.4.1\nimprint = SEQUENCE:imprint\n'
        printf 'serial = INTEGER:0x1234567890ABCDEF1234\ntime = GENERALIZEDTIME:%s\n' "$time"
        [ $# -eq 0 ] || printf '%s\n' "$@"
        printf '\n[imprint]\nalgorithm = SEQUENCE:algorithm\n'
        printf 'hash = FORMAT:HEX,OCTETSTRING:%s\n' "$(openssl dgst "-$digest" -r checkpoint | cut -d ' ' -f 1)"
        printf '[algorithm]\nname = OID:%s\nnothing = NULL\n' "$digest"
        printf '[accuracy]\nseconds = INTEGER:2\n'
        printf '[extensions]\none = SEQUENCE:extension\n[extension]\nname = OID:1.2.3.4.5\n'
        printf 'critical = BOOLEAN:true\nvalue = FORMAT:HEX,OCTETSTRING:0500\n'
    } >info.cnf
    quiet openssl asn1parse -genconf info.cnf -noout -out info
}

# sign NAME TSA [OPTIONS...]
sign() {
    local name=$1 tsa=$2
    shift 2
    quiet openssl cms -sign -binary -nodetach -nosmimecap -econtent_type 1.2.840.113549.1.9.16.1.4 -in info \
        -signer "$tsa.pem" -inkey "$tsa.key" -md sha256 -outform DER -out "$name.tst" "$@"
}

# like NAME EXTENSIONS: a token by a certificate of its own.
like() {
    issue "$1" root-rsa "$2" "" "" sha256 tsa-2048
    cp tsa-2048.key "$1.key"
    sign "$1" "$1" -cades
}

info 20260301120000Z
sign good-cms tsa-2048 -cades
sign good-pss tsa-2048 -cades -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest
# A root, and a certificate of others, that nobody needs.
cat root-rsa.pem root-p384.pem tsa-p256.pem >others.pem
sign good-others-beside tsa-2048 -cades -certfile others.pem
sign good-key-id tsa-p384 -cades -keyid -certfile middle-p256.pem
sign bad-unbound tsa-2048
sign bad-no-certificate tsa-2048 -cades -nocerts
sign bad-two-signers tsa-2048 -cades -signer tsa-p256.pem -inkey tsa-p256.key
quiet openssl cms -sign -binary -nodetach -nosmimecap -in info -signer tsa-2048.pem -inkey tsa-2048.key -md sha256 \
    -cades -outform DER -out bad-content-type.tst
quiet openssl cms -sign -binary -nosmimecap -econtent_type 1.2.840.113549.1.9.16.1.4 -in info \
    -signer tsa-2048.pem -inkey tsa-2048.key -md sha256 -cades -outform DER -out bad-detached.tst
sign bad-no-attributes tsa-2048 -noattr

like bad-purpose-mail tsa_mail
like bad-purpose-two tsa_two
like bad-purpose-not-critical tsa_not_critical
like bad-purpose-none tsa_none
like bad-usage tsa_usage
like bad-critical-extension tsa_unknown

rsa tsa-1024 1024; issue tsa-1024 root-rsa tsa; sign bad-rsa-1024 tsa-1024 -cades
ec tsa-p521 P-521; issue tsa-p521 root-rsa tsa; sign bad-p521 tsa-p521 -cades
issue tsa-sha1 root-rsa tsa "" "" sha1 tsa-2048; cp tsa-2048.key tsa-sha1.key; sign bad-sha1-certificate tsa-sha1 -cades

# A certificate that differs from the one that the token names in its last day only: same key, issuer and serial number.
serial=$(openssl x509 -in tsa-2048.pem -noout -serial | cut -d = -f 2)
sed 's/^rand_serial.*/serial = serial.swap/; s/^database.*/database = index.swap/' openssl.cnf >swap.cnf
touch index.swap
echo "$serial" >serial.swap
OPENSSL_CONF=$work/swap.cnf quiet openssl ca -batch -in tsa-2048.csr -cert root-rsa.pem -keyfile root-rsa.key -notext \
    -out swapped.pem -extensions tsa -startdate 20200101000000Z -enddate 20981231000000Z -md sha256
openssl x509 -in swapped.pem -outform DER -out tsa-2048-swapped.der

# Valid for two years only: the expired certificate of F18, and what somebody with its key says later.
issue tsa-then root-rsa tsa 20200601000000Z 20220601000000Z sha256 tsa-2048
cp tsa-2048.key tsa-then.key
info 20210301120000Z; sign good-then tsa-then -cades
info 20230301120000Z; sign bad-expired tsa-then -cades
info 20200301120000Z; sign bad-early tsa-then -cades
info 20200601000000Z; sign good-first-second tsa-then -cades
info 20220601000000Z; sign good-last-second tsa-then -cades
info 20220601000000.5Z; sign bad-half-a-second-late tsa-then -cades

# chain NAME EXTENSIONS [CA [FROM UNTIL]]: the same, one certificate higher.
chain() {
    rsa "$1" 2048
    issue "$1" "${3:-root-rsa}" "$2" "${4:-}" "${5:-}"
    issue "$1-tsa" "$1" tsa "" "" sha256 tsa-2048
    cp tsa-2048.key "$1-tsa.key"
    sign "$1" "$1-tsa" -cades -certfile "$1.pem"
}
info 20260301120000Z
chain bad-middle-not-ca middle_not_ca
chain bad-middle-usage middle_usage
chain bad-middle-purpose middle_purpose
chain bad-middle-limits middle_limits
chain bad-middle-expired middle root-rsa 20200601000000Z 20220601000000Z
chain bad-path-length middle root-no-path

# What is stamped, otherwise.
info 20260301120000.25Z sha256 accuracy=SEQUENCE:accuracy ordering=BOOLEAN:true nonce=INTEGER:0xFEDCBA9876543210
sign good-all-fields tsa-2048 -cades
info 20260301120000Z sha1; sign bad-sha1-imprint tsa-2048 -cades
info 20260301120000Z sha256 extensions=IMPLICIT:1,SEQUENCE:extensions; sign bad-critical-field tsa-2048 -cades
info 20260301120000Z sha256 more=INTEGER:1 another=INTEGER:1; sign bad-more-fields tsa-2048 -cades
info 20260301120000.50Z; sign bad-time tsa-2048 -cades

# The example of docs/formats/timestamp-v1.md. Frozen: made where it is not there.
vectors=$out/../../../../docs/formats/vectors
if [ ! -e "$vectors/timestamp-v1.tst" ]; then
    sed '1,/^$/d' "$vectors/log-v1.tlog-proof" | sed '/^$/,$d' >frozen
    mv checkpoint checkpoint.others
    cp frozen checkpoint
    info 20260824100005Z sha256 accuracy=SEQUENCE:accuracy nonce=INTEGER:0x0123456789ABCDEF0123456789ABCDEF
    sign timestamp-v1 tsa-p384 -cades -certfile middle-p256.pem
    mv checkpoint.others checkpoint
    mv timestamp-v1.tst "$vectors"
    cp root-p384.pem "$vectors/timestamp-v1.pem"
fi

rm -f "$out"/*.der "$out"/*.tst
cp checkpoint root-*.der tsa-2048.der tsa-2048-swapped.der ./*.tst "$out"
