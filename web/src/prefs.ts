// Choices that this browser keeps.
import { signal } from '@preact/signals'

export type Theme = 'auto' | 'light' | 'dark'
const stored = localStorage.getItem('guts.theme')
export const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto')

export function setTheme(t: Theme) {
	theme.value = t
	if (t === 'auto') localStorage.removeItem('guts.theme')
	else localStorage.setItem('guts.theme', t)
	applyTheme()
}
export function applyTheme() {
	document.documentElement.dataset.theme = theme.value
}

export const keysOn = signal(localStorage.getItem('guts.keys') !== 'off')
export function setKeys(on: boolean) {
	keysOn.value = on
	if (on) localStorage.removeItem('guts.keys')
	else localStorage.setItem('guts.keys', 'off')
}
