#!/bin/sh
# A program in trouble: `troubled.sh FOLDER PROGRAM` runs PROGRAM on FOLDER/state, or meets the next of its faults.
#   faults.VERB   one a line, each for one call
#   shown         what looks see instead of the state
#   late          moves are only written down in `pending`, as if their answer were lost
#   down          nobody there
folder=$1 program=$2 fault=''
queue=$folder/faults.$HOLDFAST_VERB
state=$folder/state

if [ -e "$folder/down" ]; then exit 75; fi
if [ -s "$queue" ]; then
	{ read -r fault && rest=$(cat); } <"$queue"
	printf '%s' "${rest:+$rest
}" >"$queue"
fi

case $fault in
throttled) echo '{"result":"retry","afterMs":1500,"message":"too many calls"}' && exit 0 ;;
unavailable) echo "not now for $PROGRAM_TOKEN" >&2 && exit 75 ;;
denied) echo "$PROGRAM_TOKEN may not do this" >&2 && exit 77 ;;
lost-response)
	"$program" "$state" >/dev/null
	kill -9 $$
	;;
hang)
	"$program" "$state" >/dev/null
	: >"$folder/hanging"
	exec sleep 600
	;;
esac

if [ "$HOLDFAST_VERB" = observe ] && [ -e "$folder/shown" ]; then exec "$program" "$folder/shown"; fi
if [ "$HOLDFAST_VERB" = apply ] && [ -e "$folder/late" ]; then
	printf '%s\t%s\t%s\n' "$HOLDFAST_NODE" "$HOLDFAST_EPOCH" "${HOLDFAST_TOKEN-}" >>"$folder/pending"
	kill -9 $$
fi
exec "$program" "$state"
