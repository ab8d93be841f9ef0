"""Something to try `dllm-lsp complete` on: not all of it is written yet."""


class Rectangle:
    """A rectangle with sides parallel to the axes."""

    def __init__(self, width, h
        self.width = width
        self.height = height

    def __repr__(self):
        return f"Rectangle({self.width}, {self.height})"

    def area(self):
        return self.width * self.height

    def scale(self, factor):
        self.width *= factor
        self.height *= factor

    def is_square(self):
        return self.width == self.


def total_area(rectangles):
    return sum(rectangle.area() for rectangle in rectangles)


if __name__ == "__main__":
    rectangle = Rectangle(3, 4)
    rectangle.scale(2)
    print(rectangle.area())
