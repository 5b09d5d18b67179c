"""What is said of each mistake: a question about the small input, the mistake and why, the repair.

A key is an identifier, or a piece and an identifier where that piece needs words of its own.
Numbers in braces are the reader's: inputs, what the reference computes on the way, and `expected`
and `yours`.
"""

from __future__ import annotations

from typing import NamedTuple


class Said(NamedTuple):
    """What is said of a mistake, in three steps, and its section (the piece's own if empty)."""

    section: str
    question: str
    what: str
    repair: str


_S = "sec-motivation-standardize"
_ST = "sec-algorithm-statistics"
_E = "sec-algorithm-epsilon"
_AX = "sec-algorithm-axis"
_SC = "sec-algorithm-scale"
_B = "sec-algorithm-backward"
_F = "sec-algorithm-float32"
_V = "sec-inference-variance"
_EV = "sec-inference-evaluate"

SAID: dict[str, Said] = {
    # ---- everywhere ----
    "wrote-into-input": Said(
        "",
        "Print your argument before and after the call. Is it still the same array of numbers?",
        "Your function changed an array that it was given. Whoever called it still holds that "
        "array, and finds other numbers in it. An operation such as "
        "`-=` works in the caller's memory.",
        "Compute into a new array, or copy the argument first.",
    ),
    "wrong-dtype": Said(
        "",
        "Which dtype went in, and which came out?",
        "The values are right, and the dtype is not that of the input. An array made by np.zeros "
        "or np.ones is float64 unless told otherwise, and from there everything computed with it "
        "is, at twice the memory.",
        "Make new arrays with the dtype of the input, or convert the result back to it.",
    ),
    "wrong-shape": Said(
        "",
        "Print the shape of what you return. Which axis has gone, or is one too many?",
        "What came has another shape than what was expected.",
        "Follow the shapes line by line; `keepdims` and a sum over the wrong axis are the usual "
        "causes.",
    ),
    "wrong-return": Said(
        "",
        "How many things does your function return, and of which kind?",
        "What came can't be read as the arrays that were expected.",
        "Return exactly what the exercise names, in its order.",
    ),
    "returned-none": Said(
        "",
        "What does a Python function return that ends without `return`?",
        "Your function returned None. Most often `return` is missing, or one branch ends without "
        "it.",
        "End the function with `return` and its result.",
    ),
    "raised": Said(
        "",
        "Which name, value or shape does the error speak of, and in which line of yours?",
        "Your function raised an error before it returned anything.",
        "Call it yourself, and print just before that line what the line uses.",
    ),
    "ignores-argument": Said(
        "",
        "Change one argument at a time. Which of them changes nothing?",
        "An argument has no influence on what your function returns, and it should have.",
        "Look where that argument ought to come in, and what stands there instead.",
    ),
    "arguments-swapped": Said(
        "",
        "In which order are the arguments given, and in which does your first line name them?",
        "The arguments come in another order than yours has them; they are given by position.",
        "Name the arguments in the order of the exercise.",
    ),
    "moving_average.wrong-shape": Said(
        "",
        "How many values went in, and how many averages came out?",
        "There should be an average after each value, and another number of them came. Too few "
        "come of a `return` inside the loop, too many of a start that was given out as well.",
        "Collect one average a value, and return all of them after the loop.",
    ),
    "unknown": Said("", "", "", ""),
    # ---- the statistics of a batch ----
    "divided-by-m-minus-1": Said(
        _ST,
        "How many numbers has a unit in z? By how many did you divide the sum of their squares?",
        "Your numbers are those of a variance divided by m − 1. The batch is normalised with its "
        "own variance, the plain mean of the squares, divided by m: only then has what comes out "
        "the variance that the formula promises, whatever the size of the batch.",
        "Divide by the number of values, m (`ddof=0`, which is NumPy's default; in PyTorch's "
        "`var` it is not).",
    ),
    "layer_norm.divided-by-m-minus-1": Said(
        _ST,
        "Each example has as many units as you see in its row. By how many did you divide the "
        "sum of squares?",
        "Your numbers are those of a variance divided by n − 1. An example is normalised with the "
        "plain mean of its squares, divided by n.",
        "Divide by the number of units, n (`ddof=0`, NumPy's default).",
    ),
    "batch_norm_backward.divided-by-m-minus-1": Said(
        _ST,
        "σ² is {var} here. Which variance did you divide by?",
        "Your gradients are those of a batch normalised with the variance divided by m − 1. The "
        "forward pass divides by m, and the way back must go through the same σ².",
        "Take the variance that the forward pass took: the sum of squares divided by m.",
    ),
    "standardize.divided-by-m-minus-1": Said(
        _S,
        "The training feature has mean {mu} and σ = {sigma}. By what did you divide?",
        "Your numbers are those of a standard deviation with m − 1. In this book σ is the root of "
        "the plain mean of squares, so that the standardised training set has σ = 1 exactly.",
        "Divide the sum of squares by the number of examples (`ddof=0`, NumPy's default).",
    ),
    "total_statistics.divided-by-m-minus-1": Said(
        _V,
        "How many examples are there in all, and by how many is a plain variance divided?",
        "Your variance has a correction of the kind N/(N − 1) in it. The batches' variances are "
        "plain ones here (divided by m), and so is the total.",
        "Leave the correction out: weigh by the sizes themselves.",
    ),
    "no-epsilon": Said(
        _E,
        "ε is {epsilon} here. What does it change, and did it change anything in yours?",
        "On every input your numbers are those without ε. Where all z are alike, σ² is 0, and "
        "then 0 is divided by 0.",
        "Add ε to the variance before the root is taken.",
    ),
    "epsilon-minus": Said(
        _E,
        "Suppose σ² is smaller than ε. What is σ² − ε then, and what is its root?",
        "On every input your numbers are those of √(σ² − ε). ε is there to keep the root away "
        "from 0; subtracted, it makes the root NaN wherever z varies little.",
        "Turn the sign: ε is added to the variance.",
    ),
    "epsilon-outside-root": Said(
        _E,
        "Take ε = {epsilon} and the σ² of one unit here. What is √(σ² + ε), and what did you "
        "divide by?",
        "On every input your numbers are those of σ + ε. ε belongs to the variance: it is added "
        "before the root is taken. Added to σ it weighs differently, and a small σ is scaled "
        "up to 1/ε times instead of 1/√ε times.",
        "Move ε under the root.",
    ),
    "epsilon-after-division": Said(
        _E,
        "In which order does Python work out a division followed by a plus?",
        "On every input your numbers are those of (z − μ)/σ, with ε added afterwards. A division "
        "comes before a sum, so ε was not in the denominator.",
        "Put brackets around the denominator, with ε added to the variance under the root.",
    ),
    "sigma-for-variance": Said(
        _E,
        "ε has the units of which: of z, or of z²?",
        "On every input your numbers are those of √(σ + ε): σ stands where σ² belongs, so the "
        "root is taken twice.",
        "Put the variance under the root.",
    ),
    "squared-after-averaging": Said(
        _ST,
        "What is the mean of z − μ, for any z?",
        "Your σ² is 0: the distances from the mean are averaged first and squared then, and they "
        "always average to 0. What is left under the root is ε.",
        "Square each distance before you average.",
    ),
    "epsilon-squared": Said(
        _E,
        "ε is {epsilon} here. What is added to the variance in yours?",
        "On every input your numbers are those of √(σ² + ε²). ε is added to the variance as it "
        "stands.",
        "Leave ε as it is.",
    ),
    "epsilon-hard-coded": Said(
        _E,
        "ε is {epsilon} here. Would your numbers be others with ε = 0?",
        "Your function doesn't use the ε that it is given, but a number of its own.",
        "Use the argument.",
    ),
    "no-root": Said(
        _E,
        "Is what you divide by in the same units as z? What has the units of z²?",
        "On every input your numbers are those of dividing by the variance, with no root taken. "
        "Then what is ten times as wide comes out ten times as narrow.",
        "Divide by the root of the variance (of σ² + ε, where there is an ε).",
    ),
    "standardize.no-root": Said(
        _S,
        "The training feature has mean {mu} and σ = {sigma}. By what did you divide?",
        "Your numbers are those of dividing by the variance σ² instead of by σ. Then a feature in "
        "centimetres and the same feature in metres don't come out alike.",
        "Divide by the standard deviation, the root of the variance.",
    ),
    "axis-1": Said(
        _AX,
        "Each row of z is one example, each column one unit. Over which numbers was your mean "
        "taken?",
        "Your means are taken along each row, over the units of one example. Batch norm compares "
        "a unit with itself in the other examples: down the column. The other axis is layer norm.",
        "Take the statistics over the examples, which is NumPy's axis 0.",
    ),
    "batch_norm_backward.axis-1": Said(
        _AX,
        "Each row is one example, each column one unit. Over which numbers did you sum?",
        "A sum or a mean is taken along the rows, over the units of one example. γ and β belong "
        "to a unit, so their gradients collect from all examples, down the column.",
        "Sum, and take means, over the examples: axis 0.",
    ),
    "standardize.axis-1": Said(
        _AX,
        "Each row of x is one example, each column one feature. Over which numbers was your mean "
        "taken?",
        "Your statistics are taken along each row, over the features of one example, so that a "
        "length is averaged with a weight. A feature is compared with itself in the other "
        "examples: down the column.",
        "Take the statistics over the examples, which is NumPy's axis 0.",
    ),
    "axis-0": Said(
        _AX,
        "Each row of z is one example. Which other examples may change what this one becomes?",
        "Statistics are taken down the columns, over the examples: that is batch norm. Layer norm "
        "looks at one example only, along its row, and so needs no batch.",
        "Take the statistics along each row, axis 1.",
    ),
    "keepdims-forgotten": Said(
        _AX,
        "z has the shape (m, n). What shape has your μ, and to which axis of z does NumPy line it "
        "up?",
        "The statistics are those of each row, but they have lost their axis. NumPy lines up "
        "shapes from the right, so a row's mean is subtracted from a column, or, where the "
        "numbers differ, nothing fits at all.",
        "Keep the axis that was averaged over, with length 1.",
    ),
    "whole-array": Said(
        _AX,
        "How many means do you compute, and how many units are there?",
        "One number stands for all units together, where each needs its own: a mean or a variance "
        "was taken over the whole array.",
        "Take it over the examples only, so that each unit keeps its own.",
    ),
    "standardize.whole-array": Said(
        _S,
        "How many means, and how many σ, do you compute, and how many features are there?",
        "One number stands for all features together, where each needs its own: a mean or a "
        "standard deviation was taken over the whole array, and features in other units stay in "
        "other units.",
        "Take it over the examples only, so that each feature keeps its own.",
    ),
    "layer_norm.whole-array": Said(
        _AX,
        "How many means do you compute, and how many examples are there?",
        "One number stands for all examples together, where each needs its own: a mean or a "
        "variance was taken over the whole array.",
        "Take it along each row only, so that each example keeps its own.",
    ),
    "one-pass-variance": Said(
        _F,
        "With z near 2²⁸, how large is z², and how many digits does a float keep of it?",
        "All is right until z lies far from 0: then your variance has lost its digits, and the "
        "error grows as the square of the offset. That is the mark of mean(z²) − μ²: two large "
        "and nearly equal numbers are subtracted, and what remains is their rounding.",
        "Subtract the mean first, and average the squares of what is left.",
    ),
    "variance-not-centred": Said(
        _ST,
        "Add 100 to all of z. Does its spread change, and does yours?",
        "Your numbers are those of dividing by the root of the mean of z² (plus ε): the squares "
        "are taken before the mean is subtracted, so z far from 0 counts as z that varies much.",
        "Square the distances from the mean.",
    ),
    "mean-not-subtracted": Said(
        _ST,
        "The normalised z should lie around 0. Around what does yours lie?",
        "On every input your numbers are those of z that was divided, but not centred: the mean "
        "is still in it.",
        "Subtract the mean before you divide.",
    ),
    "standardize.mean-not-subtracted": Said(
        _S,
        "What is the mean of the training feature after your function?",
        "Your numbers are those of x that was divided, but not centred. The mean is what all "
        "examples share, and it makes the bowl steepest.",
        "Subtract the training mean from both sets before you divide.",
    ),
    "evaluate.mean-not-subtracted": Said(
        _EV,
        "Give it a z equal to the stored mean. What should come out?",
        "On every input your numbers are those of z that was divided, but not centred: the stored "
        "mean doesn't come in.",
        "Subtract the stored mean before you divide.",
    ),
    "fold.mean-not-subtracted": Said(
        "sec-inference-fold",
        "Batch norm subtracts its mean from wa + b. Where in the new b is it?",
        "Your new b is that of a stored mean of 0. Batch norm subtracts the mean from wa + b "
        "before anything else, and the folded layer must do so too.",
        "Subtract the mean from b before you scale.",
    ),
    "not-divided": Said(
        _ST,
        "How wide is your result, and how wide should it be?",
        "On every input your numbers are centred, but not divided.",
        "Divide by √(σ² + ε).",
    ),
    "standardize.not-divided": Said(
        _S,
        "What is the standard deviation of the training feature after your function?",
        "On every input your numbers are centred, but not divided, so the features keep their "
        "units.",
        "Divide both sets by the training set's σ.",
    ),
    "batch_norm_backward.not-divided": Said(
        _B,
        "If z were ten times as wide, how much would moving one z by 1 still change z̃?",
        "Your dz lacks a division: by √(σ² + ε). The forward pass divides by it, so a change of z "
        "reaches z̃ divided by it as well.",
        "Divide by √(σ² + ε) on the way back too.",
    ),
    "multiplied-by-root": Said(
        _ST,
        "√(σ² + ε) is {std} here. Does it make the numbers larger or smaller in yours?",
        "On every input your numbers are those of multiplying by √(σ² + ε), where dividing is "
        "right. Then what is wide comes out wider still.",
        "Divide by that root.",
    ),
    "fold.not-divided": Said(
        "sec-inference-fold",
        "Batch norm divides by √(var + ε). Where does the folded layer?",
        "Your rows are scaled by γ only. Batch norm also divides by √(var + ε).",
        "Scale by γ over the root.",
    ),
    "gamma-beta-swapped": Said(
        _SC,
        "γ is {gamma} and β is {beta}. Which is the spread of what comes out, and which its "
        "middle?",
        "On every input your numbers are those with γ and β in each other's place.",
        "γ multiplies, β is added.",
    ),
    "gamma-forgotten": Said(
        _SC,
        "γ is {gamma} here. How wide should what comes out be?",
        "On every input your numbers are those of γ = 1.",
        "Multiply the normalised z by γ.",
    ),
    "batch_norm_backward.gamma-forgotten": Said(
        _B,
        "γ is {gamma} here. By how much does z̃ move when the normalised z moves by 1?",
        "Your dz is that of γ = 1. The forward pass multiplies by γ, so the gradient is "
        "multiplied by it on its way to z.",
        "Multiply by γ on the way back.",
    ),
    "fold.gamma-forgotten": Said(
        "sec-inference-fold",
        "γ is {gamma} here. By what should the row of w be multiplied?",
        "Your folded layer is that of γ = 1.",
        "Scale each row, and the bias, by γ over the root.",
    ),
    "gamma-twice": Said(
        _B,
        "γ is {gamma} here. In which of the three gradients is it a factor?",
        "γ is a factor in your gradients once too often. It is one factor of dz; dγ and dβ don't "
        "have it at all.",
        "Multiply by γ once, in dz only.",
    ),
    "beta-forgotten": Said(
        _SC,
        "β is {beta} here. Around which number should what comes out lie?",
        "On every input your numbers are those of β = 0.",
        "Add β, last.",
    ),
    "fold.beta-forgotten": Said(
        "sec-inference-fold",
        "β is {beta} here. Where does the folded layer get it from?",
        "Your new b is that of β = 0.",
        "Add β to the new b, after the scaling.",
    ),
    "beta-inside": Said(
        _SC,
        "γ is {gamma} and β is {beta}. Is your middle β, or γ times β?",
        "On every input your numbers are those of a β that was added too early, and multiplied "
        "with the rest.",
        "Add β last.",
    ),
    "fold.beta-inside": Said(
        "sec-inference-fold",
        "β is {beta} here. By how much does it move your new b?",
        "Your new b is that of a β that was added too early, and scaled with the rest.",
        "Add β after the scaling.",
    ),
    "beta-subtracted": Said(
        _SC,
        "β is {beta} here. On which side of 0 should the middle of what comes out lie?",
        "On every input your numbers are those with −β in the place of β.",
        "Turn the sign: β is added.",
    ),
    # ---- standardize ----
    "test-statistics-from-test-data": Said(
        _S,
        "The training set has mean {mu} and σ = {sigma}. With which two numbers was your test set "
        "treated?",
        "The test set was measured by its own ruler: its own mean or σ. Then the same picture "
        "becomes another input whenever its neighbours in the test set change, and one picture "
        "alone can't be measured at all.",
        "Measure both sets with the mean and σ of the training set.",
    ),
    "statistics-of-both-sets": Said(
        _S,
        "The training set alone has mean {mu}. Which numbers went into yours?",
        "Mean and σ were taken over the training and the test set together. The test set is what "
        "the network has not seen, and nothing may be learned from it.",
        "Take mean and σ from the training set alone.",
    ),
    "test-not-transformed": Said(
        _S,
        "Which numbers will the network meet in the test set, and which did it train on?",
        "The test set came back as it went in. The network learned on the new scale and would be "
        "asked on the old one.",
        "Apply to the test set what the training set got.",
    ),
    "division-by-zero": Said(
        _S,
        "The second feature is always 2. What is its σ, and what is 0 divided by that?",
        "A feature that never varies has σ = 0, and 0/0 is NaN. The digits have such pixels: "
        "blank corners.",
        "Where σ is 0, divide by something else than 0: the centred feature is 0 anyway.",
    ),
    "epsilon-too-large": Said(
        _S,
        "Does a feature with a small σ come out with σ = 1?",
        "Something is added to σ, or to σ², that a feature with a small σ feels: it comes out too "
        "narrow. There is no ε in standardising; a tiny number (1e-8 on σ) against 0/0 is right "
        "as well.",
        "Take a far smaller number, or treat σ = 0 by itself.",
    ),
    "outputs-swapped": Said(
        "",
        "In which order does the exercise name the results?",
        "The results come in another order than the exercise asks for.",
        "Change their order.",
    ),
    # ---- backward ----
    "gradient-stopped-at-mean": Said(
        _B,
        "Move one z up by a little. Does μ stay where it is?",
        "Your dz is that of a constant μ: the path through the mean is missing. Each z moves μ, "
        "and μ moves every z̃ of the unit, so dz must add up to 0 over the batch. Yours doesn't.",
        "Let the gradient flow through μ too: it takes the mean of dz̃ away.",
    ),
    "gradient-stopped-at-variance": Said(
        _B,
        "Move the largest z up by a little. Does σ² stay what it is?",
        "Your dz is that of a constant σ²: the path through the variance is missing. A z far from "
        "the middle widens the batch, and all are divided by more.",
        "Let the gradient flow through σ² too: it takes away the part of dz̃ that goes along "
        "the normalised z.",
    ),
    "gradient-stopped-at-both": Said(
        _B,
        "Move one z up by a little. Which of μ and σ² stay what they are?",
        "Your dz is that of constant statistics: the paths through μ and through σ² are both "
        "missing. That is right in evaluation, where the statistics are stored, and wrong in "
        "training.",
        "Add the two paths: through μ, and through σ².",
    ),
    "gradient-mean-instead-of-sum": Said(
        _B,
        "If every dz̃ of a unit is 1 and there are m of them, by how much does J change when β "
        "moves by 1?",
        "Your dγ or dβ is divided by m. β is added to every example, so J feels it once for each: "
        "a sum. The 1/m of the mean loss is in dz̃ already.",
        "Sum over the examples.",
    ),
    "gradient-sum-instead-of-mean": Said(
        _B,
        "μ and σ² are means. In which of the two paths does your dz divide by m?",
        "In your dz a path through the statistics has m times its weight: a sum stands where a "
        "mean belongs. One z moves a mean of m numbers by 1/m of what it moves their sum.",
        "Take the mean over the examples, in the paths through μ and σ².",
    ),
    "cross_entropy.gradient-sum-instead-of-mean": Said(
        "sec-minibatches-loss",
        "The loss is a mean over the examples. How much does one example's logit move a mean of "
        "m numbers?",
        "Your loss is the mean, but your dlogits are those of the sum: m times too large. Then "
        "the rate that works depends on the size of the batch.",
        "Divide the gradient by the number of examples as well.",
    ),
    "sign-turned": Said(
        _B,
        "Nudge one number in the direction of your gradient. Does the loss go up?",
        "A sign is turned in your gradients.",
        "Go through the signs: what is subtracted in the forward pass comes back with a minus.",
    ),
    "cross_entropy.sign-turned": Said(
        "sec-minibatches-loss",
        "Raise the logit of the right label. Does the loss fall? Which sign has its gradient?",
        "A sign is turned: your loss or your gradient is −1 times what is right. The loss is "
        "never negative, and the right label's gradient never positive.",
        "Turn that sign.",
    ),
    "z-instead-of-z-norm": Said(
        _B,
        "γ multiplies which number in the forward pass?",
        "Your dγ is that of dz̃ times z. γ multiplies the normalised z, so that is what its "
        "gradient is weighted with.",
        "Weigh dz̃ with the normalised z.",
    ),
    "batch_norm_backward.no-root": Said(
        _B,
        "σ² + ε has a root: {std}. By what did you divide?",
        "Your dz is divided by σ² + ε, with no root taken.",
        "Divide by √(σ² + ε).",
    ),
    # ---- running statistics and averages ----
    "decay-swapped": Said(
        "sec-inference-average",
        "The decay is {decay}. Does that weigh the old value or the new one?",
        "On every input your numbers are those of a decay that weighs the new value. In this book "
        "the decay is the weight of the *old* value (Keras does it so; PyTorch's `momentum` "
        "is the weight of the new one).",
        "Let the decay multiply the old value, and 1 − decay the new one.",
    ),
    "biased-running-variance": Said(
        "sec-inference-variance",
        "z has {m} examples. By which number is their sum of squares to be divided here?",
        "Your running variance takes in the variance divided by m. It is to stand for the "
        "whole training set, of which a batch is a sample: there a sample's own mean makes the "
        "squares too small, by (m − 1)/m.",
        "Use the unbiased variance of the batch, divided by m − 1.",
    ),
    "correction-twice": Said(
        "sec-inference-variance",
        "How many times did you correct for m − 1?",
        "Your variance has the factor m/(m − 1) twice.",
        "Correct once: either divide by m − 1, or multiply the plain variance.",
    ),
    "correction-turned": Said(
        "sec-inference-variance",
        "Is a sample's own variance too large or too small for the whole?",
        "Your variance has the correction upside down: (m − 1)/m.",
        "The unbiased variance is the larger one.",
    ),
    "running-standard-deviation": Said(
        "sec-inference-variance",
        "If the spread is 3, is the number that you keep 3 or 9?",
        "Standard deviations are kept or averaged where variances belong. Variances average; "
        "their roots don't, and the formula takes the root itself later.",
        "Keep the variance, and take no root here.",
    ),
    "running_statistics.axis-1": Said(
        _AX,
        "z has the shape (m, n), the running mean the shape (n,). Over which axis was your mean "
        "taken?",
        "Your batch statistics are taken along each row, over the units of one example.",
        "Take them over the examples, axis 0, so that each unit has one.",
    ),
    "new-value-not-weighted": Said(
        "sec-inference-average",
        "Do the weights of the old and of the new value add up to 1?",
        "The new value comes in with weight 1, so the weights add up to more than 1 and the "
        "average grows beyond what it averages.",
        "Weigh the new value with 1 − decay.",
    ),
    "moving_average.new-value-not-weighted": Said(
        "sec-inference-average",
        "What do the weights of the values so far add up to in yours, once corrected?",
        "Your numbers are those of a new value with weight 1, and those of a division by 1 − d at "
        "every step too, which is the same. After t values the right weights add up to 1 − dᵗ, "
        "which is 1 − d only for the first.",
        "Weigh the new value with 1 − decay, and divide by 1 − dᵗ.",
    ),
    "old-value-not-weighted": Said(
        "sec-inference-average",
        "Do the weights of the old and of the new value add up to 1?",
        "The old value keeps weight 1, so nothing is ever forgotten and the sum only grows.",
        "Weigh the old value with the decay.",
    ),
    "old-value-forgotten": Said(
        "sec-inference-average",
        "Change the running statistics that go in. Does anything change?",
        "The old value is not in your result: what comes is made of the batch alone.",
        "Add the decay times the old value, and weigh the batch with 1 − decay.",
    ),
    "no-bias-correction": Said(
        "sec-inference-average",
        "All values are 4. What should their average be after the first?",
        "Your average starts at 0 and is not corrected, so the first averages are too small: "
        "after t values the weights add up to 1 − dᵗ only.",
        "Divide by what the weights add up to.",
    ),
    "bias-correction-off-by-one": Said(
        "sec-inference-average",
        "After the first value, which weights have been given out, and what do they add up to?",
        "Your correction counts one step too few or too many. After t values, the first being "
        "t = 1, the weights add up to 1 − dᵗ.",
        "Count the values from 1.",
    ),
    "decay-times-t": Said(
        "sec-inference-average",
        "After t values, is the weight of what was there before the first d·t, or dᵗ?",
        "Your correction multiplies the decay by t. Each step multiplies what is old by d once "
        "more: a power.",
        "Take the power of the decay.",
    ),
    "variance-around-running-mean": Said(
        "sec-inference-variance",
        "Around which number are the batch's squares taken: its own mean, or the running one?",
        "The squares are taken around the running mean, so the distance between the two means is "
        "counted as spread of the batch.",
        "Take the unbiased variance of the batch around its own mean.",
    ),
    "corrected-value-kept": Said(
        "sec-inference-average",
        "Which number goes into the next step: the raw average or the corrected one?",
        "The corrected average was put back into the running one, so the next step corrects it "
        "again.",
        "Keep the raw average for the next step, and correct only what you give out.",
    ),
    "correction-multiplied": Said(
        "sec-inference-average",
        "The first average is too small. Does your correction make it larger?",
        "You multiply by what the weights add up to; that makes the first averages smaller still.",
        "Divide by it.",
    ),
    "starts-at-first-value": Said(
        "sec-inference-average",
        "Which weight has the first value in your average, after many steps and after two?",
        "Your average starts at the first value, so that one weighs more than it should for a "
        "long time. Here the average starts at 0 and is corrected.",
        "Start at 0, and divide by what the weights add up to.",
    ),
    "first-value-missing": Said(
        "sec-inference-average",
        "How many values went in, and how many averages came out?",
        "The first value is left out.",
        "Begin with the first value: one average for each value.",
    ),
    # ---- evaluation ----
    "batch-statistics-at-test": Said(
        _EV,
        "Take the first example alone. Does it come out as it did among the others?",
        "Your numbers are those of the batch's own mean or variance. At test time an example "
        "must not depend on those it comes with, and one example alone has no spread.",
        "Use the stored mean and variance, which came as arguments.",
    ),
    "mean-and-variance-swapped": Said(
        _EV,
        "The stored mean is {mean} and the stored variance {var}. Which is subtracted?",
        "On every input your numbers are those with the mean and the variance in each other's "
        "place.",
        "Subtract the mean; the variance goes under the root.",
    ),
    # ---- fold ----
    "rows-and-columns-swapped": Said(
        "sec-inference-fold",
        "w has a row for each unit and a column for each input. Along which did you scale?",
        "The scale of each unit runs along the columns of your w. A unit is a row: w is "
        "(out, in), as in the book.",
        "Give the scale a second axis, so that it multiplies whole rows.",
    ),
    "transposed": Said(
        "sec-inference-fold",
        "Which shape has w, and which has yours?",
        "Your w is the transpose of the right one. A unit is a row: w is (out, in), as in the "
        "book.",
        "Return w with the axes in which it came.",
    ),
    "bias-not-folded": Said(
        "sec-inference-fold",
        "Put a = 0 into the layer and batch norm. What comes out, and what from yours?",
        "b came back as it was. What batch norm adds and subtracts has to go into b.",
        "Put b through the same batch norm: minus the mean, times the scale, plus β.",
    ),
    "bias-not-scaled": Said(
        "sec-inference-fold",
        "Batch norm scales wa + b − mean. Which part of that is scaled in your b?",
        "A part of your new b is not scaled. Batch norm scales all of wa + b − mean, and b and "
        "the mean are in it.",
        "Scale the difference of b and the mean, then add β.",
    ),
    "b-forgotten": Said(
        "sec-inference-fold",
        "b is {b} here. Does it change your result?",
        "Your new b is that of b = 0. In training b is without effect, because the batch's mean "
        "takes it away; a stored mean doesn't.",
        "Bring the old b in before you scale.",
    ),
    "mean-added": Said(
        "sec-inference-fold",
        "Batch norm subtracts the mean. Which sign has it in your b?",
        "The mean comes into your new b with a plus.",
        "Subtract it.",
    ),
    "fold.beta-subtracted": Said(
        "sec-inference-fold",
        "β is {beta} here. With which sign is it in your b?",
        "β comes into your new b with a minus.",
        "Add it.",
    ),
    "weights-not-scaled": Said(
        "sec-inference-fold",
        "Put twice the input in. Does your folded layer move as far as the two layers did?",
        "w came back as it was. Batch norm multiplies all that comes out of w.",
        "Scale each row of w by γ over the root.",
    ),
    "fold.gamma-beta-swapped": Said(
        "sec-inference-fold",
        "γ is {gamma} and β is {beta}. Which scales w, and which is added to b?",
        "Your folded layer is that of γ and β in each other's place.",
        "γ scales, β is added.",
    ),
    # ---- total statistics ----
    "between-batch-variance-forgotten": Said(
        _V,
        "Suppose each batch were constant, at another value each. What would all examples' "
        "variance be, and what is yours?",
        "Your variance is the mean of the batches' variances: what lies within them. The means of "
        "the batches differ too, and that is missing.",
        "Add the spread of the batches' means around the total mean.",
    ),
    "within-batch-variance-forgotten": Said(
        _V,
        "Suppose all batches had the same mean. What would the variance be, and what is yours?",
        "Your variance is that of the batches' means alone: what lies within the batches is "
        "missing.",
        "Add the mean of the batches' variances.",
    ),
    "variances-subtracted": Said(
        _V,
        "Do differing means make the total spread larger or smaller?",
        "What lies between the batches is subtracted in your variance.",
        "Add it to what lies within.",
    ),
    "unweighted-batches": Said(
        _V,
        "The sizes are {sizes}. How often should the largest batch count beside the smallest?",
        "Batches count alike in yours, whatever their sizes. A batch of three stands for three "
        "examples.",
        "Weigh each batch by its size, in the mean and in both parts of the variance.",
    ),
    "weights-do-not-add-up": Said(
        _V,
        "The sizes are {sizes}. What do your weights add up to?",
        "Your weights don't add up to 1: they are the sizes, not each size's share.",
        "Divide by the sum of the sizes.",
    ),
    "difference-not-squared": Said(
        _V,
        "In which units is a variance?",
        "The distances of the batches' means from the total mean are not squared.",
        "Square them before you average.",
    ),
    "total_statistics.whole-array": Said(
        _V,
        "Each column is one unit. How many means should come out?",
        "One mean stands for all units together.",
        "Average over the batches only, so that each unit keeps its own.",
    ),
    # ---- mini-batches ----
    "starts-shuffled": Said(
        "",
        "Look at the numbers inside one batch. What do they have in common, in every epoch?",
        "Each of your batches holds neighbours: the batches are shuffled, not the "
        "examples. Neighbours in a file are often of one kind, and the same ones meet in "
        "every epoch.",
        "Shuffle the examples, then cut.",
    ),
    "labels-not-shuffled": Said(
        "",
        "Which number has the first example of your first batch, and which has its label?",
        "The examples are shuffled and the labels are not, so nearly every label belongs to "
        "another example.",
        "Use the same order for both.",
    ),
    "labels-shuffled-apart": Said(
        "",
        "Do the numbers of your examples and of their labels agree?",
        "Examples and labels were shuffled one by one, each in an order of its own, so nearly "
        "every label belongs to another example.",
        "Draw one order and use it for both.",
    ),
    "not-shuffled": Said(
        "",
        "In which order did the examples go in, and in which did they come out?",
        "The examples come in the order of the data, every time.",
        "Draw an order from `rng` first.",
    ),
    "rest-dropped": Said(
        "",
        "Ten examples make two batches of 4. Where are the last two?",
        "The examples that don't fill a batch are left out. Every example is to come once in an "
        "epoch; only the last batch may be smaller.",
        "Let the last batch hold what remains.",
    ),
    "training_loop.rest-dropped": Said(
        "",
        "Eight examples make two batches of 3. Where are the last two?",
        "The examples that don't fill a batch are left out of each epoch. Every example is to "
        "come once; only the last batch may be smaller.",
        "Let the last batch hold what remains.",
    ),
    "examples-repeated": Said(
        "",
        "How often does each number occur in your batches?",
        "Some examples come more than once in one epoch. Dealing is without replacement: a card "
        "that has been dealt is not in the pack.",
        "Cut one order of all examples into parts that don't overlap.",
    ),
    "global-random-state": Said(
        "",
        "Call your function twice with equal generators. Are the orders equal?",
        "The random numbers don't come from `rng` alone: with equal generators two calls gave "
        "different results. What np.random draws depends on everything that ran before.",
        "Draw from `rng`, and from nothing else.",
    ),
    "Shake.global-random-state": Said(
        "sec-intuition-shake",
        "Make two layers with equal generators. Are their shifts equal?",
        "The shifts don't come from `rng` alone: with equal generators two layers shifted "
        "differently. What np.random draws depends on everything that ran before.",
        "Draw from the `rng` that the layer is given, and from nothing else.",
    ),
    "mini_batches.ignores-argument": Said(
        "",
        "Call your function with two different generators. Are the orders different?",
        "The examples are shuffled, but in the same order whatever `rng` is. Then every epoch is "
        "the same.",
        "Draw the order from the `rng` that you are given.",
    ),
    "one-batch-only": Said(
        "",
        "How many batches should ten examples make, and how many came?",
        "Only one batch came. A `return` inside the loop ends it in its first round.",
        "Collect the batches and return them after the loop, or yield each.",
    ),
    "batches-of-equal-size": Said(
        "",
        "How many examples are in each of your batches, and how many were asked for?",
        "The examples are spread evenly, so that no batch has the size that was asked for.",
        "Fill every batch, and leave the rest to the last one.",
    ),
    # ---- training step and loop ----
    "evaluation-mode-in-training": Said(
        "sec-minibatches-loop",
        "Do the running statistics move in your step? Should they?",
        "The pass was made in evaluation mode. Then each unit is normalised by stored statistics, "
        "which count as constants on the way back, and the running statistics never move.",
        "Go forward in training mode.",
    ),
    "step-uphill": Said(
        "sec-minibatches-loop",
        "Is the loss smaller after your step than before it?",
        "θ moves along the gradient, the way in which the loss grows.",
        "Turn the sign of the step.",
    ),
    "not-updated": Said(
        "sec-minibatches-loop",
        "Compare net.theta before and after your function. Has it changed?",
        "The parameters of the network are the same afterwards. A new array that is only bound to "
        "a name of yours is not the network's.",
        "Change `net.theta` itself, in place.",
    ),
    "backward-forgotten": Said(
        "sec-minibatches-loop",
        "Which pass fills net.dtheta, and when did it last run?",
        "θ moved along gradients that were left from an earlier step: no backward pass came "
        "before the update.",
        "Send the gradient of the loss back through the network before you move θ.",
    ),
    "loss-after-step": Said(
        "sec-minibatches-loop",
        "Is the loss that you return that of the parameters before the step or after it?",
        "The loss was computed once more after the step. It costs another pass, and in training "
        "mode moves the running statistics again.",
        "Return the loss whose gradient you used.",
    ),
    "statistics-moved-twice": Said(
        "sec-minibatches-loop",
        "How many passes in training mode does your step make?",
        "The network went forward more than once in training mode for one step, and each pass "
        "moves the running statistics.",
        "Go forward once a step.",
    ),
    "training_step.gradient-sum-instead-of-mean": Said(
        "sec-minibatches-loop",
        "The loss already divides by the number of examples. What does your step make of that?",
        "Your step is as many times too long as the batch has examples: the gradient is that of a "
        "sum.",
        "Send back the gradient of the mean loss, as it comes.",
    ),
    "training_loop.gradient-sum-instead-of-mean": Said(
        "sec-minibatches-loop",
        "Would your steps be as long if every batch were given twice over?",
        "Your steps are as many times too long as a batch has examples: the gradient is that of a "
        "sum.",
        "Send back the gradient of the mean loss, as it comes.",
    ),
    "divided-twice": Said(
        "sec-minibatches-loop",
        "The loss already divides by the number of examples. Do you divide again?",
        "Your step is too short by the number of examples in the batch: the gradient was divided "
        "by it twice.",
        "Send back the gradient as the loss gives it.",
    ),
    "logits-sent-back": Said(
        "sec-minibatches-loop",
        "Of what does the backward pass need the gradient?",
        "What was sent back is not the loss's gradient, but the network's own output.",
        "Send back what the loss returns beside its value.",
    ),
    "gamma-beta-not-updated": Said(
        "sec-minibatches-loop",
        "Which parameters of the network are the same after your step?",
        "w and b move, γ and β don't: the update goes over the dense layers only. γ and β are "
        "parameters like the others.",
        "Move all of `net.theta`.",
    ),
    "updated-twice": Said(
        "sec-minibatches-loop",
        "How far should one parameter move: by rate times gradient, or twice that?",
        "θ moves twice as far as the rate says.",
        "Take one step of the length of the rate.",
    ),
    "not-reshuffled": Said(
        "sec-minibatches-loop",
        "Are the batches of your second epoch those of the first?",
        "The order was drawn once, so the same examples meet in a batch in every epoch.",
        "Draw a new order at the start of each epoch.",
    ),
    "training_loop.ignores-argument": Said(
        "sec-minibatches-deal",
        "Train twice with different generators. Are the orders different?",
        "The examples are shuffled, but in the same order whatever `rng` is.",
        "Draw each order from the `rng` that you are given.",
    ),
    "one-epoch-only": Said(
        "sec-minibatches-loop",
        "How many steps should two epochs make, and how many were made?",
        "Training ends after the first epoch. A `return` inside the loop over epochs ends it.",
        "Return after the loop over epochs.",
    ),
    "training_loop.one-batch-only": Said(
        "sec-minibatches-loop",
        "How many steps should two epochs make, and how many were made?",
        "Training ends after the first step. A `return` inside the innermost loop ends it.",
        "Return after both loops.",
    ),
    "losses-of-epochs": Said(
        "sec-minibatches-loop",
        "How many steps were made, and how many losses came back?",
        "One loss came back for each epoch, where one for each step was asked for.",
        "Keep the loss of every step.",
    ),
    # ---- layers ----
    "gradient-mean-not-subtracted": Said(
        "sec-bias-subtract",
        "Move one x up by 1. What happens to the outputs of the others?",
        "Your gradient passes as it is. One x moves the mean, and the mean is subtracted from all "
        "outputs, so the gradient loses its mean too.",
        "Subtract the mean over the batch on the way back as well.",
    ),
    "SubtractMean.gradient-sum-instead-of-mean": Said(
        "sec-bias-subtract",
        "How much does the mean move when one x moves by 1?",
        "On the way back the sum is subtracted, m times the mean.",
        "Subtract the mean over the batch.",
    ),
    "SubtractMean.axis-1": Said(
        "sec-bias-subtract",
        "Each row is one example, each column one unit. Over which numbers was your mean taken?",
        "A mean is taken along each row, over the units of one example, forward or backward.",
        "Take the mean over the examples, axis 0, on both ways.",
    ),
    "SubtractMean.whole-array": Said(
        "sec-bias-subtract",
        "How many means do you compute, and how many units are there?",
        "One mean is subtracted from all units, forward or backward, where each has its own.",
        "Take the mean over the examples only, on both ways.",
    ),
    "SubtractMean.sign-turned": Said(
        "sec-bias-subtract",
        "What does dx add up to over the batch in yours?",
        "On the way back the mean is added, where it is subtracted on the way forward.",
        "Turn that sign.",
    ),
    "SubtractMean.scaled-too": Said(
        "sec-bias-subtract",
        "How wide is your output, and how wide was x?",
        "Your layer divides as well. This one only subtracts: what it does alone is the question.",
        "Leave the division out.",
    ),
    "evaluation-forgotten": Said(
        "sec-bias-subtract",
        "What does your layer do in evaluation?",
        "In evaluation your layer lets x through. This one has no stored mean: it does the same "
        "in both modes.",
        "Subtract the mean whatever `training` is.",
    ),
    "SubtractMean.gradient-changed": Said(
        "sec-bias-subtract",
        "Is the gradient of x really 0 everywhere?",
        "Your gradient is 0. Only its mean over the batch must be.",
        "Let through what is left of dz when its mean is subtracted.",
    ),
    "shift-per-example": Said(
        "sec-intuition-shake",
        "How many different shifts does one unit get in one step?",
        "Each example has a shift of its own. That is noise, which the batch's mean takes away "
        "but little of; here the whole batch is to move together.",
        "Draw one shift for each unit.",
    ),
    "Shake.axis-1": Said(
        "sec-intuition-shake",
        "Which numbers share a shift in yours: a row or a column?",
        "Each example has one shift for all its units. It should be each unit that has one for "
        "all examples.",
        "Draw as many shifts as there are units.",
    ),
    "Shake.whole-array": Said(
        "sec-intuition-shake",
        "How many different shifts are there in one step, and how many units?",
        "One shift moves all units alike, where each should have its own.",
        "Draw as many shifts as there are units.",
    ),
    "same-every-step": Said(
        "sec-intuition-shake",
        "Are the shifts of the second step those of the first?",
        "The shifts are the same in every step: drawn once, they are a bias and no shaking.",
        "Draw anew in each forward pass of training.",
    ),
    "shift-in-evaluation": Said(
        "sec-intuition-shake",
        "What should your layer add in evaluation?",
        "The layer shakes in evaluation too, so the same image gets another answer each time.",
        "Let x through where `training` is false.",
    ),
    "scaled-too": Said(
        "sec-intuition-shake",
        "Is the distance between two examples of a unit still what it was?",
        "The layer stretches as well as shifts: the distances between examples change.",
        "Add, and do nothing else.",
    ),
    "gradient-changed": Said(
        "sec-intuition-shake",
        "Move one x up by 1. By how much does the output move?",
        "The gradient comes back changed. The shift doesn't depend on x, so what moves x moves "
        "the output as much.",
        "Let the gradient through as it is.",
    ),
    "Shake.ignores-argument": Said(
        "sec-intuition-shake",
        "Make two layers with different generators. Are their shifts different?",
        "The shifts are the same whatever `rng` is.",
        "Draw from the `rng` that you are given.",
    ),
    "one-sided": Said(
        "sec-intuition-shake",
        "Are there shifts of both signs?",
        "All shifts have one sign, so on average the layer moves the units away.",
        "Draw between −level and level.",
    ),
    "beyond-level": Said(
        "sec-intuition-shake",
        "Which is the largest shift that may come, and which came?",
        "There are shifts beyond ±level.",
        "Draw uniformly between −level and level.",
    ),
    "below-level": Said(
        "sec-intuition-shake",
        "Which is the largest shift that may come, and which came in forty steps?",
        "The shifts stay far within ±level.",
        "Draw uniformly between −level and level.",
    ),
    "not-uniform": Said(
        "sec-intuition-shake",
        "How often should a shift be smaller than half the level?",
        "The shifts keep within ±level, but are not spread evenly there.",
        "Draw uniformly between −level and level.",
    ),
    "no-shift": Said(
        "sec-intuition-shake",
        "What was added in training?",
        "Nothing is added in training.",
        "Add the shift where `training` is true.",
    ),
    # ---- effective rate ----
    "rate-divided-by-length": Said(
        "",
        "‖w‖² is {length_squared} here. By what did you divide?",
        "Your rate is divided by the length ‖w‖, not by its square. The gradient is already "
        "1/‖w‖ as large when w is longer, and the same step turns a longer w by less: that makes "
        "two factors.",
        "Divide by the squared length.",
    ),
    "effective_rate.whole-array": Said(
        "",
        "How many units are there, and how many lengths did you compute?",
        "One length stands for all units together. Batch norm takes the scale from each unit by "
        "itself, so each row of w has a rate of its own.",
        "Take the length of each row.",
    ),
    "effective_rate.rows-and-columns-swapped": Said(
        "",
        "w has a row for each unit and a column for each input. Whose length did you take?",
        "Your lengths are those of the columns: of what leaves one input. A unit is a row.",
        "Sum along each row.",
    ),
    "rate-multiplied": Said(
        "",
        "Does a longer w turn faster or more slowly?",
        "Your rate grows with ‖w‖². A longer w turns more slowly.",
        "Divide by the squared length.",
    ),
    "mean-instead-of-sum": Said(
        "",
        "What is the length of (3, 4)?",
        "Your squares are averaged, not added, so the rate comes out as many times too large as "
        "there are inputs.",
        "Add the squares of a row.",
    ),
    "summed-before-squaring": Said(
        "",
        "What is the length of (3, 4), and what is 3 + 4?",
        "The weights are added before they are squared, so that weights of opposite sign cancel.",
        "Square each weight first, then add.",
    ),
    "not-squared": Said(
        "",
        "What is the length of (3, −3)?",
        "The weights are added without being squared, so that weights of opposite sign cancel.",
        "Square each weight first, then add.",
    ),
    "fraction-turned": Said(
        "",
        "Does a higher learning rate give a higher effective rate in yours?",
        "Your fraction is upside down.",
        "The learning rate goes above, the squared length below.",
    ),
    # ---- cross-entropy ----
    "overflow": Said(
        "",
        "What is exp(1000) in floating point?",
        "With logits near 1000 the exponential overflows to ∞, and ∞/∞ is NaN. A constant taken "
        "from all logits of an example changes nothing in the softmax.",
        "Subtract each example's largest logit first.",
    ),
    "log-of-zero": Said(
        "",
        "The softmax of a logit 2000 below the others: which float is that, and what is its "
        "logarithm?",
        "A probability that is too small for a float becomes 0, and its logarithm −∞. The loss "
        "itself is no larger than the logits differ, 2000 here.",
        "Take the logarithm of the softmax on paper first: what is left is a difference of the "
        "logit and the logarithm of a sum, and no quotient.",
    ),
    "log-clipped": Said(
        "",
        "The right label's logit lies 2000 below the other. How large should the loss be?",
        "A small constant inside the logarithm keeps your loss finite, and wrong: a network that "
        "is very sure of a wrong answer pays too little, and the gradient no longer belongs to "
        "that loss.",
        "Take the logarithm of the softmax on paper first; then no constant is needed.",
    ),
    "cross_entropy.axis-0": Said(
        "",
        "Each row holds the logits of one example. What adds up to 1 in yours?",
        "Your softmax is taken down the columns, over the examples. The probabilities of one "
        "example must add up to 1: along its row.",
        "Sum along each row, axis 1.",
    ),
    "cross_entropy.whole-array": Said(
        "",
        "What do the probabilities of one example add up to in yours?",
        "A sum or a maximum is taken over all examples together. Each example's probabilities "
        "must add up to 1, whatever the other logits are.",
        "Take it along each row.",
    ),
    "divided-by-all-logits": Said(
        "",
        "The mean is over how many examples? By what did you divide?",
        "Your loss or your gradient is divided by the number of all logits, examples times "
        "classes. The mean is over the examples only.",
        "Divide by the number of examples.",
    ),
    "loss-sum-instead-of-mean": Said(
        "",
        "Does your loss grow when every example is given twice?",
        "Your loss is the sum over the examples, not their mean.",
        "Divide by the number of examples.",
    ),
    "labels-not-subtracted": Said(
        "",
        "Does your gradient depend on the labels?",
        "Your dlogits is the softmax itself: what the labels take away is missing.",
        "Subtract 1 at each example's label before you divide.",
    ),
    "logarithm-to-base-2": Said(
        "",
        "Guessing evenly between two classes costs ln 2 = 0.6931. What does it cost in yours?",
        "Your loss is in bits: the logarithm is that to base 2.",
        "Use the natural logarithm.",
    ),
}


def said(piece: str, name: str) -> Said:
    """Return what is said of a mistake in this piece."""
    return SAID.get(f"{piece}.{name}") or SAID[name]
