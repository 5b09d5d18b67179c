"""The figures of the book, one module a chapter: numbers in, picture and words out."""

from bncourse.figures.algorithm import *
from bncourse.figures.bias import *
from bncourse.figures.intuition import *
from bncourse.figures.minibatches import *
from bncourse.figures.motivation import *
from bncourse.figures.test_time import *
