// Names that the build puts in: addresses of files whose names hold a hash of their content.
declare const STREAM_WORKER: string
declare const HIGHLIGHT_WORKER: string
declare const CHART_STYLE: string
declare const PAGES_STYLE: string

interface TrustedScriptURL {}
interface TrustedHTML {}
interface Window {
	trustedTypes?: {
		createPolicy(
			name: string,
			rules: { createScriptURL?(s: string): string; createHTML?(s: string): string },
		): { createScriptURL(s: string): TrustedScriptURL; createHTML(s: string): TrustedHTML }
	}
}
