// Markdown to HTML: marked parses, DOMPurify cleans, and links and pictures are led to this node.
// Nothing in a README may reach another host, run, or look like a part of the dashboard.
import purify from 'dompurify'
import { Marked } from 'marked'
import { getRepo, type File } from '../api'
import { repoHref } from '../router'
import { plain } from '../text'
import type { Of } from './repo'
import { imageType } from './source'

interface Where {
	of: Of
	dir: string
}

const LARGEST = 512 * 1024

// Raw HTML in Markdown is first taken apart by hand: a page under a strict policy reports what it
// refuses even while a sanitizer parses it.  What is left is what READMEs use it for.
const TAGS = new Set(
	(
		'a abbr b blockquote br center code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ' +
		'ol p pre q s samp small span strike strong sub summary sup table tbody td tfoot th thead tr tt u ul var'
	).split(' '),
)
const ATTRIBUTES = new Set('align alt colspan height href open rowspan src start title width'.split(' '))
const WHOLE =
	/<(script|style|iframe|object|noscript|template|svg|math|form|select|textarea|title|video|audio)\b[^]*?(?:<\/\1\s*>|$)/gi
const TAG = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z][\w:-]*(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=`]+))?)*)\s*\/?>/gi
const ATTRIBUTE = /([a-z][\w:-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>=`]+)))?/gi

const quote = (s: string) => s.replace(/"/g, '&quot;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
const words = (s: string) => s.replace(/</g, '&lt;').replace(/>/g, '&gt;')

export function tame(html: string) {
	const text = html.replace(/<!--[^]*?(?:-->|$)/g, '').replace(WHOLE, '')
	let out = ''
	let from = 0
	for (const m of text.matchAll(TAG)) {
		out += words(text.slice(from, m.index))
		from = m.index + m[0].length
		const name = m[2]!.toLowerCase()
		if (!TAGS.has(name)) continue
		out += '<' + m[1] + name
		for (const a of m[1] ? [] : m[3]!.matchAll(ATTRIBUTE)) {
			const key = a[1]!.toLowerCase()
			if (ATTRIBUTES.has(key)) out += ` ${key}="${quote(a[2] ?? a[3] ?? a[4] ?? '')}"`
		}
		out += '>'
	}
	return out + words(text.slice(from))
}

const marked = new Marked({ gfm: true, async: false, renderer: { html: ({ text }) => tame(text) } })
let where: Where | undefined

// The path in the repository that a relative address means, or undefined if it leaves it.
function inside(address: string, dir: string): string | undefined {
	const clean = address.replace(/[?#].*$/, '')
	const out = clean.startsWith('/') ? [] : dir.split('/').filter(Boolean)
	for (const part of clean.split('/')) {
		if (part === '..') {
			if (!out.length) return undefined
			out.pop()
		} else if (part && part !== '.') {
			try {
				out.push(decodeURIComponent(part))
			} catch {
				out.push(part)
			}
		}
	}
	return out.join('/')
}

function leadLink(a: Element, { of, dir }: Where) {
	const to = a.getAttribute('href')
	if (!to) return
	if (/^(https?:|mailto:)/i.test(to)) {
		a.setAttribute('rel', 'noopener noreferrer nofollow ugc')
		a.setAttribute('target', '_blank')
	} else if (to.startsWith('#')) {
		a.setAttribute('data-anchor', to.slice(1))
		a.removeAttribute('href')
		a.setAttribute('tabindex', '0')
		a.setAttribute('role', 'link')
	} else {
		const path = /^[a-z][a-z0-9+.-]*:|^\/\//i.test(to) ? undefined : inside(to, dir)
		if (path === undefined) a.removeAttribute('href')
		else a.setAttribute('href', repoHref(of.path, ['src', of.current], path))
	}
}

// A picture of this repository is fetched through the API; one from elsewhere becomes its text.
function leadPicture(img: Element, { dir }: Where) {
	const from = img.getAttribute('src') ?? ''
	const path = /^[a-z][a-z0-9+.-]*:|^\/\//i.test(from) ? undefined : inside(from, dir)
	img.removeAttribute('src')
	img.removeAttribute('srcset')
	if (path && imageType(path)) {
		img.setAttribute('data-path', path)
		if (!img.hasAttribute('alt')) img.setAttribute('alt', '')
		return
	}
	img.setAttribute('data-elsewhere', from)
}

purify.addHook('afterSanitizeAttributes', (node) => {
	if (!where) return
	if (node.nodeName === 'A') leadLink(node, where)
	if (node.nodeName === 'IMG') leadPicture(node, where)
	if (node.nodeName === 'INPUT') node.setAttribute('disabled', '')
	if (/^H[1-6]$/.test(node.nodeName))
		node.setAttribute(
			'data-name',
			(node.textContent ?? '')
				.toLowerCase()
				.replace(/[^\p{L}\p{N} _-]/gu, '')
				.trim()
				.replace(/ /g, '-'),
		)
})

async function picture(img: Element, { of }: Where) {
	const path = img.getAttribute('data-path')!
	try {
		const file = (await getRepo(of.path, '/contents/{path}', { path: { path }, query: { ref: of.current } })) as File
		if (file.encoding === 'base64' && file.size <= LARGEST)
			img.setAttribute('src', `data:${imageType(path)};base64,${file.content.replace(/\s/g, '')}`)
	} catch {
		// Its alternative text stays.
	}
}

export function render(box: HTMLElement, text: string, at: Where) {
	where = at
	const clean = purify.sanitize(marked.parse(text) as string, {
		USE_PROFILES: { html: true },
		FORBID_TAGS: [
			'style',
			'form',
			'input',
			'button',
			'textarea',
			'select',
			'dialog',
			'audio',
			'video',
			'picture',
			'source',
			'map',
		],
		FORBID_ATTR: ['style', 'class', 'id', 'name', 'srcset', 'autofocus', 'hidden', 'popover'],
		ALLOW_DATA_ATTR: false,
		ALLOW_ARIA_ATTR: false,
		RETURN_TRUSTED_TYPE: true,
	})
	where = undefined
	box.innerHTML = clean as unknown as string
	// A page has one first heading, and it is not this one.
	for (const table of box.querySelectorAll('table, pre')) table.setAttribute('tabindex', '0')
	for (const img of box.querySelectorAll('img[data-elsewhere]')) {
		const words = document.createElement('span')
		words.className = 'picture'
		words.textContent = plain(img.getAttribute('alt') || 'picture')
		words.title = plain(img.getAttribute('data-elsewhere') ?? '')
		img.replaceWith(words)
	}
	box.querySelectorAll('img[data-path]').forEach((img) => void picture(img, at))
	const follow = (e: Event) => {
		const a = (e.target as Element).closest?.('a[data-anchor]')
		if (!a || (e instanceof KeyboardEvent && e.key !== 'Enter')) return
		const name = a.getAttribute('data-anchor')!.toLowerCase()
		const to = [...box.querySelectorAll('[data-name]')].find((h) => h.getAttribute('data-name') === name)
		to?.scrollIntoView()
	}
	box.onclick = follow
	box.onkeydown = follow
}
