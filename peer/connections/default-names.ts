/** Where the user's file of names is, unless the command line says otherwise. The help names it without reading it. */
export const DEFAULT_NAMES = '~/.config/throughnat/names'
