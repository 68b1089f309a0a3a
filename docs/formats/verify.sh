#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright the authors of gallra. Licensed under the Apache License, Version 2.0; you may not use this file except in compliance
# with it (https://www.apache.org/licenses/LICENSE-2.0). It comes as it is, without warranties or conditions of any kind.
#
# The classical part of a proof of version 1, checked without gallra's programs (proof-v1.md, section 9): a POSIX shell, OpenSSL 3,
# coreutils, sed and grep. Offline. One line a check; ends with "classical part: ok", or says what is wrong and exits with 1.
#
# usage: sh verify.sh PROOF ISSUER.pub KEYS
#   PROOF       the proof
#   ISSUER.pub  the issuer's two public keys as PEM, from elsewhere than the proof
#   KEYS        the issuer's published key file, from elsewhere than the proof
set -u
LC_ALL=C
export LC_ALL

if [ $# -ne 3 ]; then
    echo 'usage: sh verify.sh PROOF ISSUER.pub KEYS' >&2
    exit 2
fi
for file in "$@"; do
    [ -r "$file" ] || { echo "cannot be read: $file" >&2; exit 2; }
done
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cp -- "$1" "$work/proof"
cp -- "$2" "$work/issuer.pem"
cp -- "$3" "$work/keys"
cd "$work" || exit 2

ok() { printf 'ok    %s\n' "$*"; }
failed() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
sha() { sha256sum | cut -c 1-64; }

# --- 1 form: one line, in the one order of fields
b64='[A-Za-z0-9+/]*={0,2}'
number='(0|[1-9][0-9]*)'
signature="\\{\"keyid\":\"[0-9a-f]{64}\",\"sig\":\"$b64\"\\}"
envelope="\\{\"payloadType\":\"application/vnd\\.in-toto\\+json\",\"payload\":\"$b64\",\"signatures\":\\[($signature(,$signature)*)?\\]\\}"
entry="\\{\"envelope\":$envelope(,\"due\":\"[0-9-]{10}\")?,\"checkpoint\":$number,\"index\":$number,\"path\":\"$b64\"\\}"
note='"[^"\\]*(\\n[^"\\]*)*"'
consistency="\\{\"from\":$number,\"root\":\"[0-9a-f]{64}\",\"to\":$number,\"path\":\"$b64\"\\}"
stamp="\\{\"checkpoint\":$number,\"token\":\"$b64\"\\}"
placed="\\{\"envelope\":$envelope,\"index\":$number\\}"

one_line() { [ "$(wc -l < "$1")" -eq 1 ] && [ -z "$(tail -c 1 "$1")" ]; }
many() { printf '(%s(,%s)*)?' "$1" "$1"; }
# Splits the lists of a file into lines and sees that each line, and the order of lines, is one that the page has.
split() { sed -E 's/(,?)(\{"envelope":)/\1\
\2/g; s/(\],"(manifests|events|checkpoints)":\[)/\
\1/g' "$1"; }
one_line proof || failed 'the proof is not one line'
one_line keys || failed 'the key file is not one line'
split proof > lines
head='\{"format":"gallra-proof-v1","proof":'
tail="\\],\"checkpoints\":\\[$note(,$note)*\\],\"consistency\":\\[$(many "$consistency")\\],\"timestamps\":\\[$(many "$stamp")\\]\\}"
[ "$(sed -n 1p lines | grep -cEx -e "$head")" -eq 1 ] || failed 'the proof is of another format than gallra-proof-v1'
[ "$(tail -n 1 lines | grep -cEx -e "$tail")" -eq 1 ] || failed 'the proof does not have its one form: behind the events'
# An entry, with what stands behind it; then one letter a line says the order.
sed '1d;$d' lines | sed -E \
    -e "s#^$entry,\"request\":\$#P#" -e "s#^$entry,\"plan\":\$#R#" -e "s#^$entry,\"statements\":\\[\$#L#" \
    -e "s#^$entry,?\$#e#" -e 's#^\],"manifests":\[$#M#' -e 's#^\],"events":\[$#E#' | tr -d '\n' > order
# P request, R plan, L list of statements: the names are of what comes next.
grep -qEx 'PRLe*Me+Ee*' order || failed 'the proof does not have its one form'
ok "form: one line, $(grep -cE '^\{"envelope"' lines) statements, manifests and events"

# --- 2 keys: the issuer's from the PEM text, the others' from the key file
split keys > key-lines
sed -n '1p' key-lines | grep -qEx '\{"format":"gallra-keys-v1","manifests":\[' || failed 'the key file is not a gallra-keys-v1'
sed '1d' key-lines | grep -vEqx -e "$placed,?" -e '\],"events":\[' -e "$placed\\]\\}" -e '\],"events":\[\]\}' &&
    failed 'the key file does not have its one form'
openssl pkey -pubin -in issuer.pem -outform DER -out issuer.der 2> /dev/null || failed 'no public key can be read from ISSUER.pub'
[ "$(wc -c < issuer.der)" -eq 44 ] || failed 'the first key in ISSUER.pub is not an Ed25519 key'
classical=$(sha < issuer.der)
second=$(sed '1,/^-----END PUBLIC KEY-----/d' issuer.pem | sed '/^-----/d' | tr -d '\n')
[ -n "$second" ] || failed 'ISSUER.pub has no second key'
other=$(printf '%s' "$second" | base64 -d 2> /dev/null | sha)
payload_of() { sed -E 's/^\{"envelope":\{"payloadType":"[^"]*","payload":"([^"]*)".*$/\1/'; }
: > listed
grep -E '^\{"envelope"' key-lines | payload_of | while read -r payload; do
    printf '%s' "$payload" | base64 -d 2> /dev/null
    echo
done > said
# keyid, role, actor (or -), spki
grep -oE '"keyid":"[0-9a-f]{64}","algorithm":"ed25519","role":"[a-z]+",("actor":"[^"]*",)?"spki":"[^"]*"' said |
    sed -E 's/^"keyid":"([^"]*)","algorithm":"ed25519","role":"([a-z]*)",("actor":"([^"]*)",)?"spki":"([^"]*)"$/\1 \2 -\4 \5/' >> listed
grep -oE '"what":"enrolled","keyid":"[0-9a-f]{64}","at":"[^"]*","clock":"[a-z]+","role":"agent","actor":"[^"]*","algorithm":"ed25519","spki":"[^"]*"' said |
    sed -E 's/^"what":"enrolled","keyid":"([^"]*)".*"actor":"([^"]*)","algorithm":"ed25519","spki":"([^"]*)"$/\1 agent -\2 \3/' >> listed
while read -r keyid role actor spki; do
    printf '%s' "$spki" | base64 -d 2> /dev/null > "key-$keyid"
    [ "$(sha < "key-$keyid")" = "$keyid" ] || failed "the key file calls a key $keyid that is another one"
done < listed || exit 1
ok "keys: issuer $classical"
ok "keys: trust anchor sha256:$(sed -n 1p said | tr -d '\n' | sha), to be compared with the one that was published"

# --- 3 log: each checkpoint under the log's key
manifest=$(sed -n '/^\],"manifests"/,/^\],"events"/p' lines | grep -E '^\{"envelope"' | tail -n 1 | payload_of)
printf '%s' "$manifest" | base64 -d 2> /dev/null > manifest
origin=$(grep -oE '"log":\{"origin":"[^"\\]*","key":"[0-9a-f]{64}"\}' manifest | sed -n 1p | cut -d '"' -f 6)
log=$(grep -oE '"log":\{"origin":"[^"\\]*","key":"[0-9a-f]{64}"\}' manifest | sed -n 1p | cut -d '"' -f 10)
grep -qE "^$log log - " listed || failed "the log's key is not in the key file"
tail -c 32 "key-$log" > raw
id=$({ printf '%s\n\001' "$origin"; cat raw; } | sha | cut -c 1-8)
notes=0
tail -n 1 lines | sed -E 's/^\],"checkpoints":\[(.*)\],"consistency":.*$/\1/' | sed 's/","/"\
"/g' > notes
while read -r quoted; do
    printf '%s\n' "$quoted" | sed -E 's/^"(.*)"$/\1/; s/\\n/\
/g' | sed '$d' > "note-$notes"
    sed '/^$/,$d' "note-$notes" > text
    sed '1,/^$/d' "note-$notes" | grep -F "— $origin " | cut -d ' ' -f 3 > signed
    [ "$(wc -l < signed)" -eq 1 ] || failed "checkpoint $notes does not have exactly one line of $origin"
    base64 -d < signed > typed 2> /dev/null
    [ "$(head -c 4 typed | od -An -tx1 | tr -d ' \n')" = "$id" ] || failed "checkpoint $notes: the line of $origin is of another key"
    tail -c +5 typed > sig
    openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "key-$log" -in text -sigfile sig > /dev/null 2>&1 ||
        failed "checkpoint $notes: the log's signature does not verify"
    [ "$(wc -l < text)" -eq 3 ] && [ "$(sed -n 1p text)" = "$origin" ] || failed "checkpoint $notes is not one of $origin"
    ok "log: $origin signed the tree of $(sed -n 2p text) entries"
    notes=$((notes + 1))
done < notes || exit 1

# --- 4 statements: signatures, the entry built again, the path to the checkpoint
node() { { printf '\1'; cat "$1" "$2"; } | openssl dgst -sha256 -binary > up && mv up hash; }

# included CHECKPOINT INDEX PATH: the file `entry` is in the tree.
included() {
    [ -f "note-$1" ] || failed "a statement names a checkpoint that is not there"
    at=$2
    last=$(($(sed -n 2p "note-$1") - 1))
    [ "$at" -le "$last" ] || failed "a statement is said to be behind the end of the log"
    { printf '\0'; cat entry; } | openssl dgst -sha256 -binary > hash
    printf '%s' "$3" | base64 -d > path 2> /dev/null
    steps=$(($(wc -c < path) / 32))
    step=0
    while [ "$step" -lt "$steps" ]; do
        tail -c +$((step * 32 + 1)) path | head -c 32 > beside
        [ "$last" -gt 0 ] || return 1
        if [ $((at % 2)) -eq 1 ] || [ "$at" -eq "$last" ]; then
            node beside hash
            while [ $((at % 2)) -eq 0 ] && [ "$at" -gt 0 ]; do at=$((at / 2)) last=$((last / 2)); done
        else
            node hash beside
        fi
        at=$((at / 2)) last=$((last / 2)) step=$((step + 1))
    done
    [ "$last" -eq 0 ] && [ "$(base64 < hash | tr -d '\n')" = "$(sed -n 3p "note-$1")" ]
}

# signed KEYID KEYFILE: the signature of this key is among `signatures`, and verifies.
signed() {
    grep "^$1 " signatures | cut -d ' ' -f 2 | base64 -d > sig 2> /dev/null
    openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$2" -in pae -sigfile sig > /dev/null 2>&1
}

part=proof
request=
: > digests
sed '1d;$d' lines > parts
while read -r line; do
    case $line in
        '],"manifests":['*) part=manifest; continue ;;
        '],"events":['*) part=event; continue ;;
    esac
    fields=$(printf '%s\n' "$line" |
        sed -E 's/^\{"envelope":\{"payloadType":"([^"]*)","payload":"([^"]*)","signatures":\[([^]]*)\]\}(,"due":"([^"]*)")?,"checkpoint":([0-9]+),"index":([0-9]+),"path":"([^"]*)"\}.*$/\1 \2 -\5 \6 \7 -\8/')
    # shellcheck disable=SC2086 # fields without spaces
    set -- $fields
    type=$1 payload=$2 due=${3#-} checkpoint=$4 index=$5 path=${6#-}
    printf '%s\n' "$line" | sed -E 's/^.*"signatures":\[([^]]*)\].*$/\1/' | sed 's/},{/}\
{/g' | sed -E 's/^\{"keyid":"([^"]*)","sig":"([^"]*)"\}$/\1 \2/' | grep . > signatures
    many=$(wc -l < signatures)
    printf '%s' "$payload" | base64 -d > payload 2> /dev/null || failed "entry $index: the payload is not base64"
    { printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c < payload)"; cat payload; } > pae
    kind=$(sed -E 's|^\{"_type":"https://in-toto\.io/Statement/v1","subject":\[[^]]*\],"predicateType":"https://w3id\.org/gallra/([a-z-]+)/v1","predicate":\{.*$|\1|' payload)
    case $part/$kind in
        proof/proof | request/request | plan/plan | manifest/key-manifest | event/key-event) ;;
        statements/receipt | statements/absence | statements/recheck | statements/copy-expiry) ;;
        statements/copy-set | statements/restore | statements/notification) ;;
        *) failed "entry $index: not a statement that can stand there" ;;
    esac
    case $kind in
        receipt | absence | recheck | copy-expiry | restore)
            [ "$many" -eq 1 ] || failed "entry $index: a $kind does not carry exactly one signature"
            keyid=$(cut -d ' ' -f 1 signatures)
            agent=$(grep -oE '"agent":"[a-z0-9./_-]+"' payload | sed -n 1p | cut -d '"' -f 4)
            grep -qE "^$keyid agent -$agent " listed || failed "entry $index: a $kind of $agent is signed by a key that the key file does not give to $agent"
            signed "$keyid" "key-$keyid" || failed "entry $index: the signature of a $kind of $agent does not verify"
            ok "signature: $kind of $agent"
            ;;
        key-manifest)
            grep -qF "\"payload\":\"$payload\"" keys || failed "entry $index: a key manifest is not one of the key file's"
            ok 'signature: key-manifest as in the key file'
            ;;
        *)
            [ "$many" -eq 2 ] || failed "entry $index: a $kind does not carry exactly two signatures"
            grep -q "^$other " signatures || failed "entry $index: a $kind is not signed by the issuer's ML-DSA key"
            grep -q "^$classical " signatures || failed "entry $index: a $kind is not signed by the issuer's Ed25519 key"
            signed "$classical" issuer.der || failed "entry $index: the issuer's signature of a $kind does not verify"
            ok "signature: $kind by the issuer"
            ;;
    esac
    if [ "$part" = proof ]; then
        request=$(grep -oE '"predicate":\{"request":"[0-9a-f]{32}"' payload | sed -n 1p | cut -d '"' -f 6)
        cp payload said-proof
    fi
    [ "$part" = plan ] && sha < payload > plan-digest
    [ "$part" = statements ] && printf '{"statement":"%s","digest":"%s"}\n' "$kind" "$(sha < payload)" >> digests
    {
        echo 'gallra-log-entry/v1'
        echo "kind $kind"
        case $kind in key-manifest | key-event) ;; *) echo "request $request" ;; esac
        [ -z "$due" ] || echo "due $due"
        echo "pae sha256:$(sha < pae)"
        while read -r keyid sig; do
            echo "sig $keyid sha256:$(printf '%s' "$sig" | base64 -d 2> /dev/null | sha)"
        done < signatures
    } > entry
    included "$checkpoint" "$index" "$path" || failed "entry $index: a $kind is not in the log where the file says"
    ok "in the log: $kind at position $index"
    case $part in
        proof) part=request ;;
        request) part=plan ;;
        plan) part=statements ;;
    esac
done < parts || exit 1

# --- 5 links: the proof names exactly these statements, and this plan
evidence=$(grep -oE '"evidence":\[[^]]*\]' said-proof | sed -n 1p)
[ "$evidence" = "\"evidence\":[$(tr '\n' , < digests | sed 's/,$//')]" ] || failed 'the proof names other statements than the file has'
grep -qF "\"plan\":\"$(cat plan-digest)\"" said-proof || failed 'the proof is about another plan'
ok "links: the proof names these $(wc -l < digests | tr -d ' ') statements and this plan"

cut -d ' ' -f 1 listed | sort -u | while read -r keyid; do
    grep -E "\"what\":\"(retired|revoked|compromised)\",\"keyid\":\"$keyid\"" said > /dev/null &&
        echo "note  keys: $keyid was retired, revoked or called compromised: see in the key file at which position"
done
cat << 'TEXT'
note  not checked here: ML-DSA signatures; who signed the key manifests; positions at which keys came and went; whether trees
note  that receipts quote begin this one; time stamps and cosignatures; canonical form inside statements; and whether the
note  evidence bears out what the proof says
classical part: ok
TEXT
