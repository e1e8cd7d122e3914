# Fetches every URL of $DATA_URLS (separated by blanks) into $DATA_VOLUME_PATH, in curl's image, as any user.
# A file is named by the last part of its URL's path and appears only when it is complete.
set -fu
dir=${DATA_VOLUME_PATH:-/mnt/data}
log=${KAITO_TERMINATION_LOG:-/dev/termination-log}
pause=${KAITO_RETRY_SECONDS:-2}

# fail KIND REASON CODE MESSAGE: says why, in the log and to the controller, and ends.
fail() {
	message=$(printf '%s' "$4" | tr -d '"\\' | tr -c '\040-\176' ' ' | cut -c1-900)
	echo "data-downloader: $message" >&2
	{ printf '{"kind":"%s","reason":"%s","exitCode":%d,"message":"%s"}' "$1" "$2" "$3" "$message" >"$log"; } 2>/dev/null
	exit "$3"
}
# A URL without user, password and query, which may be secrets.
shown() {
	rest=${1#*://}
	rest=${rest%%[?#]*}
	host=${rest%%/*}
	echo "${1%%://*}://${host##*@}${rest#"$host"}"
}
# name URL NUMBER: a file name that no other URL has.
name() {
	file=${1#*://}
	file=${file%%[?#]*}
	case $file in */*) file=${file##*/} ;; *) file= ;; esac
	case $file in '' | . | ..) file=data-$2 ;; esac
	case " $names " in *" $file "*) file=$2-$file ;; esac
}
# How a failure of curl (exit code $1, HTTP status $2) ends: sets kind, reason and code; true when trying again can help.
verdict() {
	kind=network reason=NetworkError code=15
	case $1 in
	3 | 1) kind=invalid reason=InvalidInput code=3; return 1 ;;
	23) kind=no_space reason=DiskFull code=13; return 1 ;;
	28) kind=timeout reason=DeadlineExceeded code=16 ;;
	esac
	case $2 in
	401 | 403) kind=denied reason=AccessDenied code=11; return 1 ;;
	404 | 410) kind=not_found reason=NotFound code=8; return 1 ;;
	408 | 416 | 429) ;;
	4??) return 1 ;;
	esac
}
# fetch URL FILE: up to five tries with growing pauses; each goes on where the last one stopped.
fetch() {
	part=$dir/.$2.part attempt=1
	while :; do
		output=$(curl --silent --show-error --fail --location --globoff --proto '=http,https' --proto-redir '=http,https' --connect-timeout 15 \
			--speed-limit 1 --speed-time 60 --continue-at - --output "$part" --write-out '\n%{http_code}' -- "$1" 2>&1)
		rc=$? status=${output##*
}
		[ $rc -ne 0 ] || return 0
		why=$(printf '%s' "$output" | sed -n 's/^curl: ([0-9]*) //p' | head -n 1)
		# The part is not a beginning of this file, or the server cannot continue it.
		case $rc:$status in 33:* | *:416) rm -f "$part" ;; esac
		if ! verdict $rc "$status" || [ $attempt -ge 5 ]; then
			rm -f "$part"
			fail $kind $reason $code "cannot download $(shown "$1"): ${why:-curl ended with $rc} (try $attempt of 5)"
		fi
		echo "data-downloader: $(shown "$1"): ${why:-curl ended with $rc}; trying again" >&2
		sleep $((pause * attempt))
		attempt=$((attempt + 1))
	done
}

names= number=0
for url in ${DATA_URLS-}; do
	number=$((number + 1))
	name "$url" $number
	names="$names $file"
	fetch "$url" "$file"
	[ -s "$dir/.$file.part" ] || fail data InvalidDataset 5 "$(shown "$url") is empty"
	mv -f -- "$dir/.$file.part" "$dir/$file" || fail io FileSystemError 12 "cannot write $dir/$file"
	echo "data-downloader: $(shown "$url") -> $dir/$file"
done
[ $number -gt 0 ] || fail invalid InvalidInput 3 'no URL was given'
