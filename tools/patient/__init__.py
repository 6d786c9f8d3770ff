"""The patient controller: few words, and nothing that a patient could do wrong.

words      the pump's state and its refusals, as a patient understands them
command    `itpump patient`
"""
