/* The icons draw from web fonts: this file shadows a script of 1.4 MB that redraws them. */
