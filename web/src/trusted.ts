// The one door through which a script's address may pass; everything else that would turn text into
// code is refused by the browser (require-trusted-types-for 'script').
const ours = (address: string) => {
	if (address !== STREAM_WORKER && address !== HIGHLIGHT_WORKER) throw new TypeError('not a script of ours')
	return address
}
const policy = window.trustedTypes?.createPolicy('default', { createScriptURL: ours })

export const scriptUrl = (address: string) => (policy ? policy.createScriptURL(address) : ours(address)) as string
