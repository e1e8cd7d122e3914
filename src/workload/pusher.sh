# Waits for the sentinel of the training program in $output_dir, packs the adapter as an image with one layer (data/adapter_config.json,
# data/adapter_model.safetensors), pushes it to $image and ends the pause container, so that the pod completes. Runs in oras' image; the
# processes of the other containers are visible (shareProcessNamespace). When the training ends without a sentinel, so does this.
set -u
log=${KAITO_TERMINATION_LOG:-/dev/termination-log}
proc=${KAITO_PROC:-/proc}
tick=${KAITO_POLL_SECONDS:-5}
# Told to the controller: KIND REASON CODE MESSAGE [IMAGE].
tell() {
	message=$(printf '%s' "$4" | tr -d '"\\' | tr -c '\040-\176' ' ' | cut -c1-900)
	echo "pusher: $message"
	{ printf '{"kind":"%s","reason":"%s","exitCode":%d,"message":"%s"%s}' "$1" "$2" "$3" "$message" "${5:+,\"image\":\"$5\"}" >"$log"; } 2>/dev/null
}
# Process 1 belongs to the pod itself. The container may still be waiting for its image.
end_pause() {
	polls=0
	while [ $polls -lt 120 ]; do
		for entry in "$proc"/[0-9]*; do
			pid=${entry##*/} comm=
			[ "$pid" != 1 ] || continue
			{ read -r comm <"$entry/comm"; } 2>/dev/null
			if [ "$comm" = pause ] && kill -TERM "$pid" 2>/dev/null; then return; fi
		done
		sleep "$tick"
		polls=$((polls + 1))
	done
	echo 'pusher: no pause container was found' >&2
}
fail() {
	tell "$@" >&2
	end_pause
	exit "$3"
}
# The brackets keep this text, which is in our own command line, from matching itself.
training_runs() { cat "$proc"/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -q 'fine_tuning[.]py'; }
# Process 1 is the pod's own where processes are shared; elsewhere nothing follows from seeing no training.
sees_others() { comm=; { read -r comm <"$proc/1/comm"; } 2>/dev/null; [ "$comm" = pause ]; }

# Absent processes count in a row, as the sentinel of a network volume may come late; before the first one the image is being pulled.
wait_for_result() {
	seen=no missing=0
	while [ ! -f "$output_dir/fine_tuning_completed.txt" ]; do
		if training_runs; then seen=yes missing=0; else missing=$((missing + 1)); fi
		if [ $seen = yes ] && [ $missing -gt 12 ]; then
			# Its container is the one that tells why: nothing is said to the controller here.
			echo "pusher: training ended without a result in $output_dir" >&2
			end_pause
			exit 1
		fi
		if [ $missing -gt "${KAITO_START_POLLS:-1440}" ] && sees_others; then fail timeout DeadlineExceeded 16 'training did not start within two hours'; fi
		sleep "$tick"
	done
}
pack() {
	work=$(mktemp -d) && mkdir "$work/data" || fail io FileSystemError 12 'cannot make a temporary folder'
	for file in adapter_config.json adapter_model.safetensors; do
		[ -s "$output_dir/$file" ] || fail model InvalidModel 6 "training completed, but $output_dir/$file is missing or empty"
		cp -- "$output_dir/$file" "$work/data/" || fail no_space DiskFull 13 "cannot copy $file"
	done
	cd "$work" && tar -cf data.tar data && digest=$(sha256sum data.tar) && gzip -9n data.tar &&
		printf '{"rootfs":{"diff_ids":["sha256:%s"]}}' "${digest%% *}" >config.json &&
		oras push --oci-layout layout:adapter --config config.json:application/vnd.oci.image.config.v1+json \
			--annotation "sh.kaito.model.name=$model" data.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip ||
		fail io FileSystemError 12 'cannot pack the adapter'
}
# Eight tries with growing pauses, about four minutes; refused credentials are tried three times.
push() {
	attempt=1
	until why=$(oras cp --from-oci-layout layout:adapter "$image" 2>&1); do
		echo "$why" >&2
		why=$(printf '%s' "$why" | tail -n 1)
		case $why in
		*401* | *403* | *nauthorized* | *enied* | *orbidden*)
			[ $attempt -lt 3 ] || fail denied AccessDenied 11 "the registry refuses to take $image: $why" ;;
		esac
		[ $attempt -lt 8 ] || fail network NetworkError 15 "cannot push $image: $why"
		sleep $((tick * attempt * 2))
		attempt=$((attempt + 1))
	done
	digest=$(sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' layout/index.json)
}

wait_for_result
pack
push
name=${image##*/}
name=${image%"$name"}${name%%[:@]*}
tell none Succeeded 0 "adapter pushed to $image" "$name@$digest"
end_pause
