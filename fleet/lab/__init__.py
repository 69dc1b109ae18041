"""Simulated guests on this machine: real servers in front of models, for tests and the demo.

Everything here is for practice and proof. Nothing of it runs unless somebody asks for a lab.
"""
