"""The runs behind the book, one module a chapter.

A chapter shows what these functions return, a figure draws it, and a test asserts it: all three
call the same code, so they can't disagree.
"""
