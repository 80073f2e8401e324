#!/bin/sh
# A program for the `exec` adapter, as small as a right one can be: `exec-program.sh FILE`. The owner and its epoch are
# two words in FILE, in the place of whatever a real one moves. It is fenced: a lower epoch, or a decision that was made
# on what is not so any more, changes nothing.
set -eu
state=$1

refuse() {
	printf '{"result":"conflict","message":"%s"}\n' "$1"
	exit 0
}

# One at a time: a call that was given up may not have ended yet.
exec 9>>"$state.lock"
flock 9
node='' epoch=0
[ ! -s "$state" ] || read -r node epoch <"$state"

case $HOLDFAST_VERB in
observe)
	quoted=null
	[ -z "$node" ] || [ "$node" = - ] || quoted="\"$node\""
	printf '{"node":%s,"token":"%s","epochSeen":%s}\n' "$quoted" "$node $epoch" "$epoch"
	;;
apply)
	[ "$HOLDFAST_EPOCH" -ge "$epoch" ] || refuse "epoch $HOLDFAST_EPOCH is lower than $epoch"
	[ "${HOLDFAST_TOKEN-}" = "$node $epoch" ] || refuse 'it is not any more as it was observed'
	# Whole or not at all: a reader never sees half of it.
	printf '%s %s\n' "$HOLDFAST_NODE" "$HOLDFAST_EPOCH" >"$state.new"
	mv "$state.new" "$state"
	echo '{"result":"done"}'
	;;
preflight)
	[ -w "$(dirname "$state")" ] || {
		printf '{"result":"failed","message":"%s is not writable"}\n' "$(dirname "$state")"
		exit 0
	}
	echo '{"result":"passed"}'
	;;
*)
	echo "no verb $HOLDFAST_VERB here" >&2
	exit 64
	;;
esac
