#!/bin/sh
# Does what it was told last, and knows no epochs: `unfenced.sh FILE`.
node=''
[ ! -s "$1" ] || read -r node _ <"$1"
case $HOLDFAST_VERB in
observe) if [ -z "$node" ] || [ "$node" = - ]; then echo '{"node":null}'; else printf '{"node":"%s","token":"%s"}\n' "$node" "$node"; fi ;;
apply) printf '%s 0\n' "$HOLDFAST_NODE" >"$1" && echo '{"result":"done"}' ;;
*) exit 64 ;;
esac
