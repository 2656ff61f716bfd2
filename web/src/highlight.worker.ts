// Colours a text with highlight.js and gives back, for each line, pairs of class and text: no HTML
// leaves this worker, so there is nothing to trust.
import hljs from 'highlight.js/lib/core'
import type { LanguageFn } from 'highlight.js'
import type { Token } from './repo/code'

const grammars: Record<string, () => Promise<{ default: LanguageFn }>> = {
	bash: () => import('highlight.js/lib/languages/bash'),
	c: () => import('highlight.js/lib/languages/c'),
	cpp: () => import('highlight.js/lib/languages/cpp'),
	css: () => import('highlight.js/lib/languages/css'),
	diff: () => import('highlight.js/lib/languages/diff'),
	dockerfile: () => import('highlight.js/lib/languages/dockerfile'),
	go: () => import('highlight.js/lib/languages/go'),
	ini: () => import('highlight.js/lib/languages/ini'),
	java: () => import('highlight.js/lib/languages/java'),
	javascript: () => import('highlight.js/lib/languages/javascript'),
	json: () => import('highlight.js/lib/languages/json'),
	makefile: () => import('highlight.js/lib/languages/makefile'),
	markdown: () => import('highlight.js/lib/languages/markdown'),
	protobuf: () => import('highlight.js/lib/languages/protobuf'),
	python: () => import('highlight.js/lib/languages/python'),
	ruby: () => import('highlight.js/lib/languages/ruby'),
	rust: () => import('highlight.js/lib/languages/rust'),
	sql: () => import('highlight.js/lib/languages/sql'),
	typescript: () => import('highlight.js/lib/languages/typescript'),
	xml: () => import('highlight.js/lib/languages/xml'),
	yaml: () => import('highlight.js/lib/languages/yaml'),
}

const ENTITY: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#x27;': "'" }

// highlight.js writes escaped text and <span class="…">…</span>, nothing else.
function tokens(html: string): Token[][] {
	const lines: Token[][] = [[]]
	const open: string[] = []
	for (const [part] of html.matchAll(/<span class="[^"]*">|<\/span>|[^<]+/g)) {
		if (part === '</span>') open.pop()
		else if (part.startsWith('<')) open.push(part.slice(13, -2))
		else {
			const text = part.replace(/&(?:amp|lt|gt|quot|#x27);/g, (e) => ENTITY[e] ?? e)
			text.split('\n').forEach((s, i) => {
				if (i) lines.push([])
				if (s) lines.at(-1)!.push([open.at(-1) ?? '', s])
			})
		}
	}
	return lines
}

self.onmessage = async ({ data }: MessageEvent<{ text: string; language: string }>) => {
	const load = grammars[data.language]
	if (!load) return
	hljs.registerLanguage(data.language, (await load()).default)
	self.postMessage(tokens(hljs.highlight(data.text, { language: data.language, ignoreIllegals: true }).value))
}
