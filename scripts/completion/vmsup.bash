# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# Completion of vmsup for bash. Commands, options, signals and columns come
# from vmsup itself, VM names from the supervisor that runs.

# Prints the VMs of the instance that the words typed so far name.
_vmsup_names() {
	"${vmsup[@]}" status --raw --noheadings -o NAME 2>/dev/null
}

# Completes the current word with the words on stdin.
_vmsup_reply() {
	mapfile -t COMPREPLY < <(compgen -W "$(cat)" -- "$current")
}

# Completes the argument of an option; fails if it takes none that is known.
_vmsup_argument() {
	case $1 in
	--run-dir)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		;;
	-c | --config)
		[[ $command == start ]] || return 0
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	-s | --signal)
		[[ $command == kill ]] || return 1
		_vmsup_reply < <("${vmsup[@]}" __complete signals)
		;;
	-o | --output)
		# The last one of a list; what is before stays.
		local before=
		[[ $current == *[,+]* ]] && before=${current%"${current##*[,+]}"}
		current=${current#"$before"}
		_vmsup_reply < <("${vmsup[@]}" __complete columns)
		COMPREPLY=("${COMPREPLY[@]/#/$before}")
		compopt -o nospace
		;;
	*)
		# Any other that needs one: nothing can be guessed.
		[[ $1 == -* ]] && "${vmsup[@]}" __complete "${command:-help}" \
			2>/dev/null | grep -qxF -- "$1="
		;;
	esac
}

_vmsup() {
	local current=${COMP_WORDS[COMP_CWORD]} command="" options i
	local previous=${COMP_WORDS[COMP_CWORD - 1]}
	local -a vmsup=("${COMP_WORDS[0]}")

	# "--option=word" comes as three words.
	if [[ $current == = ]]; then
		current=
	elif [[ $previous == = ]] && ((COMP_CWORD >= 2)); then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--run-dir)
			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
			((++i < COMP_CWORD)) &&
				vmsup+=(--run-dir "${COMP_WORDS[i]}")
			;;
		-*) ;;
		*) [[ $command ]] || command=${COMP_WORDS[i]} ;;
		esac
	done
	COMPREPLY=()
	_vmsup_argument "$previous" && return
	if [[ -z $command ]]; then
		if [[ $current == -* ]]; then
			_vmsup_reply <<<'--help --version --run-dir'
		else
			_vmsup_reply < <("${vmsup[@]}" __complete commands)
		fi
		return
	fi
	options=$("${vmsup[@]}" __complete "$command" 2>/dev/null)
	if [[ $current == -* ]]; then
		_vmsup_reply < <(grep ^-- <<<"$options" | tr -d =)
	elif [[ $command == help ]]; then
		_vmsup_reply < <("${vmsup[@]}" __complete commands)
	elif grep -qx NAME <<<"$options"; then
		_vmsup_reply < <(_vmsup_names)
	fi
}

complete -F _vmsup vmsup
