"""What the chapters compute, draw and let readers move: one folder a chapter.

``runs`` computes, ``figures`` draws what was computed, ``explore`` lets the reader move it. A
chapter shows what a run returns, a figure draws it, and a test asserts it: all three call the same
code, so they can't disagree. Import a chapter by its key:

    from bncourse.chapters import bias
    bias.runs.weight_growth(seed=0)
"""
